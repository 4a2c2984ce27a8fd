"""The side of a fork server that its workers' owner sees: ask for a worker, and look after it like any other process.

The other side is the script `_fork_server`, which says what is said over the socket. The rules of this file:

- A worker that has been asked for is waited for, whatever is cancelled: nobody else would know of it.
- A worker is reaped by the server, and only when we ask for it: until then its number is its own.
- Where the server ends, the kernel ends its workers; their exit code is then that of what the kernel has sent them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import CancelScope, create_task_group, move_on_after, wait_readable, wait_writable
from anyio.lowlevel import checkpoint
from attrs import define, field

from trio_adaptive.clusters.process import (
    KEEP,
    ChildProcess,
    appending_to,
    child_process,
    describe_exit,
    looked_after,
)
from trio_adaptive.clusters.spawn import Spawned, open_pidfd
from trio_adaptive.errors import ClusterError

START_TIMEOUT: Final = 60.0
"""How long the imports may take, in seconds."""

ANSWER_TIMEOUT: Final = 10.0
"""How long the server may take for an answer, in seconds; it takes milliseconds."""

_SCRIPT = str(Path(__file__).with_name("_fork_server.py"))
_PACKET = 64 * 1024  # bytes; an answer has a hundred


class NoForkServerError(ClusterError):
    """There is no fork server, for the reason that the message gives: start workers without one."""


class ForkServerEndedError(NoForkServerError):
    """There is no fork server any more; what it was asked for has not come to be."""


class UnsupportedError(NoForkServerError):
    """There cannot be one on this system."""


@define(eq=False)
class _Question:
    """Something asked of the server."""

    answered: anyio.Event = field(factory=anyio.Event)
    answer: dict[str, Any] | None = None


class ForkServer:
    """A process that forks workers, which ends with all of them. Opened by `fork_server`.

    Attributes:
        process: the server's own.
        living: how many workers of it are looked after.
    """

    def __init__(self, process: ChildProcess, channel: socket.socket) -> None:
        self.process = process
        self.living = 0
        self._channel = channel
        self._numbers = count()
        self._questions: dict[int, _Question] = {}
        self._over = False

    @asynccontextmanager
    async def worker(
        self, arguments: Sequence[str], *, log: Path | None = None, keep: int = KEEP, grace: float = 5.0
    ) -> AsyncGenerator[ChildProcess]:
        """Fork one worker; leaving the block ends it. As `child_process`, where the arguments are explained.

        Raises:
            ForkServerEndedError: there is nobody any more who could fork it.
            ClusterError: it could not be forked, or survived SIGKILL.
        """
        self.living += 1
        try:
            await checkpoint()
            with appending_to(log) as sink:
                forked = await self._fork(arguments)
                process = ChildProcess(forked, arguments, group=True, keep=keep, log=sink)
                async with looked_after(process, grace):
                    yield process
        finally:
            self.living -= 1

    async def _fork(self, arguments: Sequence[str]) -> Spawned:
        output, theirs = os.pipe()
        os.set_blocking(output, False)
        try:
            answer = await self._ask({"fork": list(arguments)}, theirs)
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(theirs)
        if answer is None or "error" in answer:
            os.close(output)
            raise ForkServerEndedError(self.epitaph()) if answer is None else ClusterError(answer["error"])
        return _Forked(answer["pid"], output, self)

    async def reap(self, pid: int) -> int:
        """The return code of a worker that has ended."""
        answer = await self._ask({"reap": pid})
        return -signal.SIGKILL if answer is None else int(answer["code"])

    def epitaph(self) -> str:
        """What has become of it, with its last output."""
        code = self.process.returncode
        how = "does not answer" if code is None else f"ended: {describe_exit(code)}"
        return f"the fork server {how}\n{self.process.output}".strip()

    async def _ask(self, request: dict[str, Any], *descriptors: int) -> dict[str, Any] | None:
        """Send a request and wait for its answer, shielded. None when the server is dead, or had to be killed."""
        number = next(self._numbers)
        question = self._questions[number] = _Question()
        packet = json.dumps({"id": number, **request}).encode()
        try:
            with move_on_after(ANSWER_TIMEOUT, shield=True):
                if await self._send(packet, descriptors):
                    await question.answered.wait()
                return question.answer
            await self.process.kill()  # what it does to the request later would be nobody's
            return None
        finally:
            del self._questions[number]

    async def _send(self, packet: bytes, descriptors: Sequence[int]) -> bool:
        while not self._over:
            try:
                socket.send_fds(self._channel, [packet], list(descriptors))
            except BlockingIOError:
                await wait_writable(self._channel)
            except OSError:  # it has ended, which `listen` is about to notice
                break
            else:
                return True
        return False

    async def hear(self) -> dict[str, Any] | None:
        """The next packet; None at the end. For `fork_server`."""
        while True:
            try:
                packet = self._channel.recv(_PACKET)
            except BlockingIOError:
                await wait_readable(self._channel)
            except OSError:
                return None
            else:
                answer: dict[str, Any] | None = json.loads(packet) if packet else None
                return answer

    async def listen(self) -> None:
        """The task that takes the answers. For `fork_server`."""
        while (answer := await self.hear()) is not None:
            question = self._questions.get(answer["id"])
            if question is not None:
                question.answer = answer
                question.answered.set()
        self._over = True
        for question in self._questions.values():
            question.answered.set()


class _Forked(Spawned):
    """A worker: the server's child, not ours."""

    def __init__(self, pid: int, output: int, server: ForkServer) -> None:
        self.pid = pid
        self.output: int | None = output
        self._server = server

    async def reap(self) -> int:
        return await self._server.reap(self.pid)

    def close(self) -> None:
        if self.output is not None:
            os.close(self.output)
            self.output = None


@asynccontextmanager
async def fork_server(
    module: str,
    preload: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> AsyncGenerator[ForkServer]:
    """Start a server for workers that are ``python -m MODULE``, and wait for its imports. Leaving the block ends it.

    Args:
        module: what a worker runs.
        preload: further modules to import before the first fork.
        env: the whole environment of the server and its workers; by default ours.
        log: a file to append the server's own output to.

    Raises:
        NoForkServerError: the system cannot have one, an import failed, or one leaves a thread or an open file.
    """
    check_system()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        command = [sys.executable, _SCRIPT, str(theirs.fileno()), module, *preload]
        # It has nothing to put in order, and its workers have gone before: it needs no grace.
        opening = child_process(command, env=env, log=log, pass_fds=[theirs.fileno()], grace=1.0)
        async with opening as process:
            theirs.close()
            server = ForkServer(process, ours)
            await _until_ready(server)
            async with _heard(server):
                yield server


@asynccontextmanager
async def _heard(server: ForkServer) -> AsyncGenerator[None]:
    """Take the answers for as long as the block lasts. What it raises leaves as itself."""
    scope = CancelScope(shield=True)  # it serves those that end while we are cancelled
    failure: BaseException | None = None

    async def listen() -> None:
        with scope:
            await server.listen()

    async with create_task_group() as helpers:
        helpers.start_soon(listen)
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
            failure = error
        scope.cancel()
    if failure is not None:
        raise failure


def check_system() -> None:
    """Raise UnsupportedError where there cannot be a fork server."""
    pidfd = open_pidfd(os.getpid())
    if pidfd is None:
        raise UnsupportedError("a fork server needs Linux 5.3 or newer")
    os.close(pidfd)


async def _until_ready(server: ForkServer) -> None:
    with move_on_after(START_TIMEOUT):
        word = await server.hear()
        if word is None:
            await server.process.wait()
            raise NoForkServerError(server.epitaph())
        if "refused" in word:
            raise NoForkServerError(word["refused"])
        return
    raise NoForkServerError(f"the imports took longer than {START_TIMEOUT:g} s")
