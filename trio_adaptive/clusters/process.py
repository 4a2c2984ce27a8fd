"""One child process that lives no longer than the block, or the task, that started it.

Nothing here knows Dask or a cluster. The rules of this file:

- No checkpoint lies between the start of the process and the caller's body knowing it.
- A process group ends with its leader, and is signalled before the leader is reaped: until then no stranger can have
  been given its number. (Without a pidfd it is right after.)
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import anyio
from anyio import CancelScope, create_task_group, move_on_after, wait_readable
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint

from trio_adaptive.clusters.spawn import Spawned, start
from trio_adaptive.errors import ClusterError

KEEP = 16 * 1024
"""How many bytes of the end of a process's output are kept in memory, unless told otherwise."""

_CHUNK = 64 * 1024  # a pipe's usual capacity on Linux
_REST = 16  # chunks: no pipe of an unprivileged user holds more than 1 MiB
_KILL_WAIT = 5.0  # seconds; SIGKILL takes milliseconds, except where the kernel hangs on a dead file server


class ChildProcess:
    """A process that runs, or has run, under `child_process` or `looked_after`.

    Attributes:
        command: the command line as it was given.
        pid: its process id, and that of its process group where it has one of its own.
        returncode: None until it has ended and been reaped, then its exit code or minus the number of the signal.
    """

    def __init__(
        self, spawned: Spawned, command: Sequence[str], *, group: bool, keep: int, log: BinaryIO | None
    ) -> None:
        self.command = tuple(command)
        self.pid = spawned.pid
        self.returncode: int | None = None
        self._spawned = spawned
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
        """The helper task of `looked_after`, not for others: read until the process has ended, reap it, close.

        ``scope`` is shielded, to outlive the cancellation that ends the process, and cancelled to give it up.
        """
        try:
            with scope:
                async with create_task_group() as tasks:
                    tasks.start_soon(self._pump)
                    await self._spawned.ended()
                    tasks.cancel_scope.cancel()
                await self._bury()
        finally:
            self._spawned.close()
            self._over.set()

    def _signal(self, signum: int) -> None:
        # PermissionError: what macOS says of a group whose only member is a zombie.
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if self._group else os.kill)(self.pid, signum)

    async def _bury(self) -> None:
        if self._group:
            self._signal(signal.SIGKILL)
        for _ in range(_REST):
            # Not until the end of file: a descendant in another group may hold the pipe for as long as it likes.
            if not self._read():
                break
        self.returncode = await self._spawned.reap()

    async def _pump(self) -> None:
        while self._spawned.output is not None and self._read() != b"":
            await wait_readable(self._spawned.output)

    def _read(self) -> bytes | None:
        """What is in the pipe now: None for nothing yet, empty at its end."""
        if self._spawned.output is None:
            return b""
        try:
            chunk = os.read(self._spawned.output, _CHUNK)
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
    keep: int = KEEP,
    parent_death_signal: signal.Signals = signal.SIGKILL,
    new_group: bool = True,
    capture: bool = True,
    grace: float = 5.0,
    pass_fds: Collection[int] = (),
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
        pass_fds: descriptors that it inherits under their numbers here.

    Raises:
        OSError: the operating system has no room for another process, or ``cwd`` or ``log`` cannot be used.
        ClusterError: it survived SIGKILL, see `ChildProcess.kill`.
    """
    await checkpoint()
    with appending_to(log) as sink:
        spawned = start(
            *(command, env, cwd, parent_death_signal), new_group=new_group, capture=capture, pass_fds=pass_fds
        )
        process = ChildProcess(spawned, command, group=new_group, keep=keep, log=sink)
        async with looked_after(process, grace):
            yield process


@asynccontextmanager
async def looked_after(process: ChildProcess, grace: float) -> AsyncGenerator[None]:
    """Watch a process from its first moment on; leaving the block ends it, as `child_process` says."""
    watching = CancelScope(shield=True)
    failure: BaseException | None = None
    async with create_task_group() as helpers:  # entering it is no checkpoint
        helpers.start_soon(process.watch, watching)
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
            failure = error
        failure = await _leave(process, grace, watching, failure)
    if failure is not None:
        raise failure


@contextmanager
def appending_to(log: Path | None) -> Generator[BinaryIO | None]:
    """A file for output, open for as long as the block lasts."""
    if log is None:
        yield None
        return
    with log.open("ab", buffering=0) as sink:
        yield sink


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
