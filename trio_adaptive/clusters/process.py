"""One child process that lives no longer than the block, or the task, that started it.

Nothing here knows Dask or a cluster. The rules of this file:

- The process is started by `subprocess.Popen` in the event loop's own thread. What starts processes in a helper thread
  (`anyio.open_process` on Trio does) makes that thread the parent, and Linux sends the parent-death signal when the
  *thread* ends, some ten seconds later.
- No checkpoint lies between the start of the process and the caller's body knowing it.
- A process group ends with its leader, and is signalled before the leader is reaped: until then no stranger can have
  been given its number. (Without a pidfd it is right after.)
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import BinaryIO

import anyio
from anyio import CancelScope, create_task_group, move_on_after, to_thread, wait_readable
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint

from trio_adaptive.errors import ClusterError

_LAUNCHER = str(Path(__file__).with_name("_launcher.py"))
_CHUNK = 64 * 1024  # a pipe's usual capacity on Linux
_REST = 16  # chunks: no pipe of an unprivileged user holds more than 1 MiB
_KILL_WAIT = 5.0  # seconds; SIGKILL takes milliseconds, except where the kernel hangs on a dead file server


class ChildProcess:
    """A process that runs, or has run, under `child_process`.

    Attributes:
        command: the command line as it was given.
        pid: its process id, and that of its process group where it has one of its own.
        returncode: None until it has ended and been reaped, then its exit code or minus the number of the signal.
    """

    def __init__(
        self, popen: Popen[bytes], command: Sequence[str], *, group: bool, keep: int, log: BinaryIO | None
    ) -> None:
        self.command = tuple(command)
        self.pid = popen.pid
        self.returncode: int | None = None
        self._popen = popen
        self._group = group
        self._keep = keep
        self._log = log
        self._tail = bytearray()
        self._over = anyio.Event()

    def __repr__(self) -> str:
        state = "running" if self.returncode is None else describe_exit(self.returncode)
        return f"<process {self.pid} {self.command[0]!r}, {state}>"

    @property
    def output(self) -> str:
        """The end of what it has written to stdout and stderr; complete once `wait()` has returned."""
        return self._tail.decode(errors="replace")

    async def wait(self) -> int:
        """Wait until it has ended. Any number of tasks may; `ClusterError` where `kill()` has failed for good."""
        await self._over.wait()
        if self.returncode is None:
            raise ClusterError(f"{self!r} was given up")
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Signal the process and, where it has a group of its own, its descendants in there. A no-op once it is over."""
        if self.returncode is None:
            self._signal(signum)

    async def terminate(self, grace: float) -> int:
        """SIGTERM, then `kill()` once ``grace`` seconds are over or on cancellation; returns when it has ended."""
        self.send_signal(signal.SIGTERM)
        try:
            with move_on_after(grace):
                return await self.wait()
        except BaseException:  # cancelled, above all
            await self.kill()
            raise
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL; returns when it has ended. Cannot be cancelled and takes at most a few seconds.

        Raises `ClusterError` when it is still there after that, as one that waits for a dead file server may be.
        """
        self.send_signal(signal.SIGKILL)
        with move_on_after(_KILL_WAIT, shield=True):
            return await self.wait()
        raise ClusterError(f"{self!r} is still there {_KILL_WAIT:g} s after SIGKILL")

    async def watch(self, scope: CancelScope) -> None:
        """The helper task of `child_process`, not for others: read until the process has ended, reap it, close.

        ``scope`` is shielded, to outlive the cancellation that ends the process, and cancelled to give it up.
        """
        try:
            with scope:
                async with create_task_group() as tasks:
                    tasks.start_soon(self._pump)
                    await self._ended()
                    tasks.cancel_scope.cancel()
                self._bury()
        finally:
            if self._popen.stdout is not None:
                self._popen.stdout.close()
            self._over.set()

    def _signal(self, signum: int) -> None:
        # PermissionError: what macOS says of a group whose only member is a zombie.
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if self._group else os.kill)(self.pid, signum)

    async def _ended(self) -> None:
        pidfd = _open_pidfd(self.pid)
        if pidfd is None:
            # A limiter of its own: forty waiting processes would use up the default one and block for ever.
            limiter = anyio.CapacityLimiter(1)
            await to_thread.run_sync(self._popen.wait, abandon_on_cancel=True, limiter=limiter)
            return
        try:
            await wait_readable(pidfd)
        finally:
            os.close(pidfd)

    def _bury(self) -> None:
        if self._group:
            self._signal(signal.SIGKILL)
        for _ in range(_REST):
            # Not until the end of file: a descendant in another group may hold the pipe for as long as it likes.
            if not self._read():
                break
        self.returncode = self._popen.wait()

    async def _pump(self) -> None:
        while self._popen.stdout is not None and self._read() != b"":
            await wait_readable(self._popen.stdout)

    def _read(self) -> bytes | None:
        """What is in the pipe now: None for nothing yet, empty at its end."""
        if self._popen.stdout is None:
            return b""
        try:
            chunk = os.read(self._popen.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return None
        self._remember(chunk)
        return chunk

    def _remember(self, chunk: bytes) -> None:
        if self._log is not None:
            try:
                self._log.write(chunk)
            except OSError as error:
                # A full disk is no reason to end the process, or to let it block on its pipe.
                self._log.close()
                self._log = None
                chunk += f"\n[trio_adaptive: the log file ends here: {error}]\n".encode()
        self._tail += chunk
        del self._tail[: max(0, len(self._tail) - self._keep)]


@asynccontextmanager
async def child_process(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    log: Path | None = None,
    keep: int = 16 * 1024,
    parent_death_signal: signal.Signals = signal.SIGKILL,
    new_group: bool = True,
    capture: bool = True,
    grace: float = 5.0,
) -> AsyncGenerator[ChildProcess]:
    """Start a process; leaving the block ends it. What the block raises leaves as itself.

    A command that cannot be executed is no exception here: it ends with exit code 127 (not found) or 126, and says why
    in its output. Whatever is left in the process group when the process has ended is killed.

    Args:
        command: the program, looked up along ``PATH``, and its arguments.
        env: the whole environment; by default ours.
        cwd: where it runs.
        log: a file to append all output to.
        keep: how many bytes of the output's end are kept in memory.
        parent_death_signal: what the kernel sends it when we die, whichever way (on Linux; elsewhere nothing does).
            Strictly when the thread that runs the event loop ends; a descendant does not inherit it.
        new_group: give it a session and a process group of its own, which Ctrl-C at a terminal does not reach.
        capture: read its output, and give it no input; otherwise it shares our stdin, stdout and stderr.
        grace: seconds between SIGTERM and SIGKILL when the block is left, shielded from cancellation.

    Raises:
        OSError: the operating system has no room for another process, or ``cwd`` or ``log`` cannot be used.
        ClusterError: it survived SIGKILL, see `ChildProcess.kill`.
    """
    await checkpoint()
    watching = CancelScope(shield=True)
    failure: BaseException | None = None
    sink = None if log is None else log.open("ab", buffering=0)
    try:
        popen = _start(command, env, cwd, parent_death_signal, new_group=new_group, capture=capture)
        async with create_task_group() as helpers:  # entering it is no checkpoint
            process = ChildProcess(popen, command, group=new_group, keep=keep, log=sink)
            helpers.start_soon(process.watch, watching)
            try:
                yield process
            except BaseException as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
                failure = error
            failure = await _leave(process, grace, watching, failure)
    finally:
        if sink is not None:
            sink.close()
    if failure is not None:
        raise failure


async def run_process(
    process: AbstractAsyncContextManager[ChildProcess],
    *,
    task_status: TaskStatus[ChildProcess] = anyio.TASK_STATUS_IGNORED,
) -> int:
    """A process as a task: ``await group.start(run_process, child_process(command))`` gives the process.

    Returns its return code; cancelling the task ends the process. Whoever starts many at once and has to know each from
    its first moment on opens `child_process` in a task of his own.
    """
    async with process as child:
        task_status.started(child)
        return await child.wait()


def describe_exit(returncode: int) -> str:
    """A return code in words: ``exit code 3``, ``killed by SIGKILL``."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:  # most of the real-time signals have no name
        return f"killed by signal {-returncode}"


def _start(
    command: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    death_signal: int,
    *,
    new_group: bool,
    capture: bool,
) -> Popen[bytes]:
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
    )
    if popen.stdout is not None:
        os.set_blocking(popen.stdout.fileno(), False)
    return popen


async def _leave(
    process: ChildProcess, grace: float, watching: CancelScope, failure: BaseException | None
) -> BaseException | None:
    """End the process; returns what the block is to raise, which is ``failure`` unless the process stays."""
    with CancelScope(shield=True):
        try:
            await process.terminate(grace)
        except ClusterError as error:
            watching.cancel()  # it would wait for ever
            error.__cause__ = failure
            return error
    return failure


def _open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is no such thing."""
    if sys.platform == "linux":
        # AttributeError: a Python built with kernel headers older than 5.3. OSError: an older kernel, or a sandbox.
        with suppress(OSError, AttributeError):
            return os.pidfd_open(pid)
    return None
