"""Servers that run as children of the tests, end with them, and leave a log to look at."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

START = 30.0  # seconds, for a machine with much else to do
STOP = 10.0


@contextmanager
def a_daemon(command, log):
    """One server in the foreground; where it can be had, the kernel ends it with us."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_bound_to_us(), *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _bound_to_us():
    return ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


def wait_for(condition, *, daemons, log):
    """Wait until it is so; a server that ends meanwhile, or takes too long, is an error with the end of its log."""
    end = time.monotonic() + START
    while not condition():
        ended = [daemon.args for daemon in daemons if daemon.poll() is not None]
        if ended or time.monotonic() > end:
            raise RuntimeError(f"{ended or 'it'} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def free_ports(n, host="127.0.0.1"):
    """So many ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in sockets]
