"""Calls on a Dask scheduler by its address, with nothing installed there: stock handlers only.

The scheduler's answers are translated into our own values here, and its errors into `ClusterError`. Deadlines are the
caller's: every method may be cancelled at any checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import distributed
from attrs import frozen
from distributed.core import rpc
from distributed.protocol import pickle

from trio_adaptive.dask.loops import CANCEL_GRACE, LoopCaller, asyncio_loop
from trio_adaptive.decision.model import Load, Memory, WorkerName
from trio_adaptive.errors import CallTimedOut, ClusterError, SchedulerUnreachable


@frozen
class WorkerInfo:
    """One registered worker.

    Attributes:
        name: its name, as text.
        address: where it listens.
        nthreads: tasks it can run at once.
        status: Dask's word: running, paused, closing_gracefully...
        executing: tasks that it was executing at its last heartbeat.
        stored: bytes of results that it kept then, in memory and on disk.
        memory_limit: bytes that it may use; 0 for no limit.
    """

    name: WorkerName
    address: str
    nthreads: int
    status: str
    executing: int
    stored: int = 0
    memory_limit: int = 0


class SchedulerLink:
    """A line to one scheduler. Made by `open_link`."""

    def __init__(self, caller: LoopCaller, address: str, connection_args: Mapping[str, Any]) -> None:
        self.caller = caller
        self.address = address
        self.connection_args = dict(connection_args)
        self._rpc: Any = None
        self._roster: dict[WorkerName, WorkerInfo] = {}
        self._roster_is_stale = True

    async def open(self) -> None:
        """Make the connection pool, on the loop that it belongs to. Connects to nothing yet."""
        self._rpc = await self.caller.run(lambda: rpc(self.address, connection_args=self.connection_args))

    async def close(self) -> None:
        """Close the connections. Never waits longer than the grace period, even for a loop that has stopped."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_GRACE):
            await self.caller.call(self._rpc.close_rpc)

    async def ask(self, handler: str, **arguments: Any) -> Any:
        """Call one of the scheduler's handlers by its name.

        Raises:
            SchedulerUnreachable: no connection, or it broke before the answer.
            ClusterError: the handler raised; its error is the cause.
        """
        with scheduler_errors(handler, self.address):
            return await self.caller.call(lambda: getattr(self._rpc, handler)(**arguments))

    async def identity(self) -> dict[str, Any]:
        """What the scheduler says of itself and of all its workers."""
        answer: dict[str, Any] = await self.ask("identity")
        return answer

    def workers_changed(self) -> None:
        """Let the next `roster` ask again: workers have come or gone."""
        self._roster_is_stale = True

    async def roster(self, *, refresh: bool = False) -> Mapping[WorkerName, WorkerInfo]:
        """The registered workers by name; asked anew when told so or when workers have changed since."""
        if refresh or self._roster_is_stale:
            self._roster_is_stale = False
            try:
                answer = await self.identity()
            except BaseException:
                self._roster_is_stale = True
                raise
            infos = (_worker_info(address, info) for address, info in answer["workers"].items())
            self._roster = {info.name: info for info in infos}
        return self._roster

    async def target(self, target_duration: float) -> Load:
        """The scheduler's ``adaptive_target``: how many workers its work asks for, and how much they have to do."""

        async def both() -> tuple[int, dict[str, dict[str, int]]]:
            target = self._rpc.adaptive_target(target_duration=target_duration)
            return tuple(await asyncio.gather(target, self._rpc.get_task_prefix_states()))

        with scheduler_errors("adaptive_target", self.address):
            wanted, states = await self.caller.call(both)
        processing = sum(prefix.get("processing", 0) for prefix in states.values())
        why = f"the scheduler asks for it, to have the work done in {target_duration:g} s"
        return Load(int(wanted), why, processing, _memory((await self.roster()).values()))

    async def suggest(self, target: int, options: Mapping[str, Any]) -> list[WorkerName]:
        """The scheduler's ``workers_to_close``, best candidate first.

        Args:
            target: how many workers are to stay.
            options: more of its options; a callable ``key`` runs on the scheduler and may be a lambda.
        """
        key = options.get("key")
        more = {**options, "key": pickle.dumps(key) if callable(key) else key}
        answer = await self.ask("workers_to_close", target=target, attribute="name", **more)
        return [WorkerName(str(name)) for name in answer]

    async def retire(self, addresses: Sequence[str], *, close: bool) -> set[str]:
        """Move the unique data off these workers; with ``close`` also close and forget them.

        Returns:
            The addresses that could be retired: what is missing was refused and still holds unique data.
        """
        answer = await self.ask("retire_workers", workers=list(addresses), close_workers=close, remove=close)
        return set(answer)

    async def processing(self, addresses: Sequence[str]) -> int:
        """How many tasks these workers have, executing and queued; workers that have gone have none."""
        try:
            answer = await self.ask("processing", workers=list(addresses))
        except ClusterError as error:
            if not isinstance(error.__cause__, KeyError):
                raise
            present = {info.address for info in (await self.roster(refresh=True)).values()}
            here = [address for address in addresses if address in present]
            return await self.processing(here) if here else 0
        return sum(len(keys) for keys in answer.values())


def _worker_info(address: str, info: Mapping[str, Any]) -> WorkerInfo:
    # The shape of the metrics has changed over the releases: task_counts from 2023 on, executing before.
    metrics: Mapping[str, Any] = info.get("metrics") or {}
    tasks: Mapping[str, Any] = metrics.get("task_counts") or {}
    executing = int(tasks.get("executing", metrics.get("executing", 0))) + int(tasks.get("long-running", 0))
    name = WorkerName(str(info["name"]))
    stored = int(metrics.get("managed_bytes", 0))
    status, limit = str(info.get("status", "running")), int(info.get("memory_limit") or 0)
    return WorkerInfo(name, address, int(info["nthreads"]), status, executing, stored, limit)


def _memory(workers: Collection[WorkerInfo]) -> Memory:
    threads, used = sum(w.nthreads for w in workers), sum(w.stored for w in workers)
    return Memory(len(workers), threads, used, sum(w.memory_limit for w in workers))


@contextmanager
def scheduler_errors(what: str, address: str) -> Generator[None]:
    """Translate what a call on a scheduler raises into this project's errors."""
    try:
        yield
    except ClusterError:
        raise
    except TimeoutError as error:
        raise CallTimedOut(f"{what} on {address} did not answer in time") from error
    except OSError as error:  # distributed's CommClosedError is one
        # It often says no more than that a call was tried; what has happened is its cause.
        reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise SchedulerUnreachable(f"{what} on {address}: {str(reason) or type(reason).__name__}") from error
    except Exception as error:
        raise ClusterError(f"{what} on {address} failed: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def open_link(
    address: str,
    *,
    security: distributed.Security | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> AsyncGenerator[SchedulerLink]:
    """A link to the scheduler at ``address``.

    Args:
        address: for example ``"tcp://127.0.0.1:8786"`` or ``"tls://host:8786"``.
        security: certificates, for TLS.
        loop: the asyncio loop to call from, for example a cluster object's own; default: the running one, or one in a
            thread where the caller runs on trio.
    """
    connection_args = (security or distributed.Security()).get_connection_args("client")
    if loop is not None:
        async with _opened(SchedulerLink(LoopCaller(loop), address, connection_args)) as link:
            yield link
        return
    async with (
        asyncio_loop() as caller,
        _opened(SchedulerLink(caller, address, connection_args)) as link,
    ):
        yield link


@asynccontextmanager
async def _opened(link: SchedulerLink) -> AsyncGenerator[SchedulerLink]:
    await link.open()
    try:
        yield link
    finally:
        await link.close()
