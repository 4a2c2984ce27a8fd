"""Processes as they come from the operating system, before anybody looks after them: see `process`.

Both kinds of start are in the event loop's own thread. What starts processes in a helper thread (`anyio.open_process`
on Trio does) makes that thread the parent, and Linux sends the parent-death signal when the *thread* ends, some ten
seconds later.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen

import anyio
from anyio import to_thread, wait_readable

_LAUNCHER = str(Path(__file__).with_name("_launcher.py"))


class Spawned(ABC):
    """A process that somebody has to look after.

    Attributes:
        pid: its process id, which is nobody else's until it has been reaped.
        output: a descriptor from which its output can be read without blocking; None where it goes elsewhere.
    """

    pid: int
    output: int | None

    async def ended(self) -> None:
        """Wait until it has ended."""
        await watch_pid(self.pid)

    @abstractmethod
    async def reap(self) -> int:
        """Its exit code, or minus the number of the signal; once it has ended."""

    @abstractmethod
    def close(self) -> None:
        """Stop reading its output."""


class Child(Spawned):
    """A child process of ours."""

    def __init__(self, popen: Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.output = None if popen.stdout is None else popen.stdout.fileno()

    async def ended(self) -> None:
        if not await watch_pid(self.pid):
            # A limiter of its own: forty waiting processes would use up the default one and block for ever.
            limiter = anyio.CapacityLimiter(1)
            await to_thread.run_sync(self._popen.wait, abandon_on_cancel=True, limiter=limiter)

    async def reap(self) -> int:
        return self._popen.wait()

    def close(self) -> None:
        if self._popen.stdout is not None:
            self._popen.stdout.close()


def start(
    command: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    death_signal: int,
    *,
    new_group: bool,
    capture: bool,
    pass_fds: Collection[int],
) -> Child:
    """Start a command through the launcher; the arguments are those of `process.child_process`."""
    locale = (os.environ if env is None else env).get("LC_CTYPE", "")
    launcher = [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), str(int(death_signal)), locale]
    popen = Popen(
        [*launcher, *command],
        bufsize=0,
        stdin=DEVNULL if capture else None,
        stdout=PIPE if capture else None,
        stderr=STDOUT if capture else None,
        env=env,
        cwd=cwd,
        start_new_session=new_group,
        pass_fds=pass_fds,
    )
    if popen.stdout is not None:
        os.set_blocking(popen.stdout.fileno(), False)
    return Child(popen)


async def watch_pid(pid: int) -> bool:
    """Wait until a process has ended, child of ours or not. False, at once, where the system cannot tell."""
    pidfd = open_pidfd(pid)
    if pidfd is None:
        return False
    try:
        await wait_readable(pidfd)
    finally:
        os.close(pidfd)
    return True


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is no such thing."""
    if sys.platform == "linux":
        # AttributeError: a Python built with kernel headers older than 5.3. OSError: an older kernel, or a sandbox.
        with suppress(OSError, AttributeError):
            return os.pidfd_open(pid)
    return None
