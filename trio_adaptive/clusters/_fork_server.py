"""Run as a script: import once what workers need, then fork one worker per request.

Usage: ``python _fork_server.py SOCKET MODULE [PRELOAD ...]``, where SOCKET is the number of an inherited descriptor.

A worker is ``python -m MODULE ARGUMENT ...`` in a process that has all imports behind it. Nothing of this package is
imported, since this process's memory is every worker's, and its standard streams belong to whoever has started it.

What is said over the socket, one JSON object a packet (it is of the kind that keeps packets apart):

- ``{"ready": PID}`` or ``{"refused": WHY}``, once, after the imports.
- ``{"id": N, "fork": [ARGUMENT, ...]}`` with one descriptor, for the worker's output; the answer is
  ``{"id": N, "pid": PID}`` when the worker is a session of its own and bound to our life, or ``{"id": N, "error": WHY}``.
- ``{"id": N, "reap": PID}``; the answer is ``{"id": N, "code": CODE}``, when that worker has ended. Until it is asked
  for, a worker that has ended stays a zombie, so that its number is nobody else's.

The end of the socket is our end, and ours is the workers'.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

PACKET = 1 << 20  # bytes: more than the kernel takes in one packet by default

_TASKS = Path("/proc/self/task")
_DESCRIPTORS = Path("/proc/self/fd")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STANDARD = 3  # descriptors
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_THREAD_END = 0.2  # seconds that a thread may still be listed after it was joined

# What `python -m distributed.cli.dask_worker` imports only while it starts. What is missing here is only slower.
LATE = {
    "distributed.cli.dask_worker": (
        "distributed.http.health",
        "distributed.http.prometheus",
        "distributed.http.statics",
        "distributed.http.worker",
        "distributed.http.worker.prometheus",
        "tornado.platform.asyncio",
    )
}


class Refused(Exception):  # noqa: N818 - an answer, as the protocol has it
    """This process cannot be forked from; the message says why."""


def serve(channel: socket.socket, module: str, preload: list[str]) -> list[str]:
    """Prepare and serve. Returns in the workers only, with what they are to run as."""
    try:
        _prepare(channel, module, preload)
    except Refused as refusal:
        _say(channel, {"refused": str(refusal)})
        sys.exit(1)
    _say(channel, {"ready": os.getpid()})
    while True:
        packet, descriptors, _, _ = socket.recv_fds(channel, PACKET, 1)
        if not packet:
            os._exit(0)  # whoever has started us is gone, and no exit handler of a library is ours to run
        request = json.loads(packet)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            _say(channel, {"id": request["id"], "code": os.waitstatus_to_exitcode(status)})
        elif _fork(channel, request["id"], descriptors[0]):
            return [module, *request["fork"]]


# Before the first worker


def _prepare(channel: socket.socket, module: str, preload: list[str]) -> None:
    for name in LATE.get(module, ()):
        try:
            importlib.import_module(name)
        except ImportError:  # another version of distributed
            continue
    for name in (module, *preload):
        _import(name)
        _check_threads(name)
    _check_descriptors(channel)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody learns of an exit code
    sys.modules.pop(module)  # it will be __main__, and is executed anew as that
    gc.collect()
    gc.freeze()  # what is there stays where it is, in pages that all workers share


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except BaseException as error:  # whatever it is: there are other ways to start a worker
        traceback.print_exc()
        raise Refused(f"importing {name} raised {type(error).__name__}: {error}") from error


def _check_threads(name: str) -> None:
    """Refuse where an import has left threads, which no worker would have, while what they held stays locked.

    Some libraries end theirs before a fork and start them again when they are needed, as OpenBLAS does: so what counts
    is what is left after one.
    """
    if _other_threads():
        _fork_once()
        deadline = time.monotonic() + _THREAD_END
        while _other_threads() and time.monotonic() < deadline:
            time.sleep(0.001)
    threads = [_thread_name(each) for each in _other_threads()]
    if threads:
        many = "a thread" if len(threads) == 1 else f"{len(threads)} threads"
        raise Refused(
            f"importing {name} has started {many}, which no worker would have: {', '.join(threads)}"
        )


def _fork_once() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is known
        pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _other_threads() -> list[Path]:
    return [each for each in _TASKS.iterdir() if each.name != str(os.getpid())]


def _thread_name(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:
        return task.name


def _check_descriptors(channel: socket.socket) -> None:
    """Refuse where an import has left something open, which all workers would share."""
    found: list[str] = []
    for each in _DESCRIPTORS.iterdir():
        if int(each.name) < _STANDARD or int(each.name) == channel.fileno():
            continue
        try:
            target = str(each.readlink())
        except FileNotFoundError:  # the one that lists the folder
            continue
        if target not in _HARMLESS:
            found.append(target)
    if found:
        raise Refused(f"the imports have left open: {', '.join(sorted(found))}")


# One worker


def _fork(channel: socket.socket, number: int, output: int) -> bool:
    """Fork one worker, wait until it can be told to the other side, and tell. Returns whether we are the worker."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = os.pipe()
    server = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        _say(channel, {"id": number, "error": f"cannot fork: {error.strerror}"})
        pid = -1
    if not pid:
        os.close(ours)
        channel.close()
        _become_worker(server, output)
        os.write(theirs, b".")
        os.close(theirs)
        _start_anew()
        return True
    os.close(theirs)
    os.close(output)
    if pid > 0:
        os.read(ours, 1)  # nothing comes where it was killed: whoever watches it will see
        _say(channel, {"id": number, "pid": pid})
    os.close(ours)
    return False


def _become_worker(server: int, output: int) -> None:
    os.setsid()
    die_with_parent(server)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends, whichever way."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != parent:
        os._exit(1)


def _start_anew() -> None:
    """What two processes must not have in common; `random` and OpenSSL see to that by themselves."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(32)


def _say(channel: socket.socket, message: dict[str, Any]) -> None:
    try:
        channel.send(json.dumps(message).encode())
    except OSError:  # nobody there any more; the next thing that we hear is the end
        return


if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path[0] = str(
            Path.cwd()
        )  # as `python -m` has it; ours would put this folder's modules before others
    _argv = serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
    sys.argv[:] = _argv
    # Out here, so that a worker ends as any interpreter does: exit code, last words, threads and exit handlers.
    runpy.run_module(_argv[0], run_name="__main__", alter_sys=True)
