"""Calls on a Dask scheduler by its address, with nothing installed there: stock handlers only.

The scheduler's answers are translated into our own values here, and its errors into `ClusterError`. Deadlines are the
caller's: every method may be cancelled at any checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import anyio
import distributed
from distributed.core import rpc
from distributed.protocol import pickle

from trio_adaptive.dask.answers import (
    Roster,
    candidates_of,
    memory_of,
    roster_of_identity,
    roster_of_rows,
    work_of,
)
from trio_adaptive.dask.loops import CANCEL_GRACE, LoopCaller, asyncio_loop
from trio_adaptive.decision.model import Candidate, Load, WorkerName
from trio_adaptive.decision.targets import load_of
from trio_adaptive.errors import AlreadyDriven, CallTimedOut, ClusterError, SchedulerUnreachable

PREFIX: Final = "trio_adaptive_"
"""Of the names of the probe's handlers."""

PATIENCE: Final = 50
"""Connections that may be waiting for an answer at the same time."""


class SchedulerLink:
    """A line to one scheduler. Made by `open_link`.

    Attributes:
        caller: runs things on the event loop that the connections belong to.
        address: the scheduler's.
        connection_args: what a connection to it needs, such as certificates.
        patience: how many calls may wait in the scheduler at the same time, each on a connection of its own.
        epoch: the number of our turn as its driver; None without the probe, where stock handlers have to do.
        degraded: why there is no probe although there should be one; empty otherwise.
        cut: why we have no line now although we mean to drive: then nothing is asked, let alone ordered.
    """

    def __init__(self, caller: LoopCaller, address: str, connection_args: Mapping[str, Any]) -> None:
        self.caller = caller
        self.address = address
        self.connection_args = dict(connection_args)
        self.epoch: int | None = None
        self.degraded = ""
        self.cut = ""
        self.patience = anyio.CapacityLimiter(PATIENCE)
        self._rpc: Any = None
        self._roster: Roster = {}
        self._roster_is_stale = True

    async def open(self) -> None:
        """Make the connection pool, on the loop that it belongs to. Connects to nothing yet."""
        self._rpc = await self.caller.run(lambda: rpc(self.address, connection_args=self.connection_args))

    async def close(self) -> None:
        """Close the connections. Never waits longer than the grace period, even for a loop that has stopped."""
        # A loop that has been closed has taken its connections along.
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_GRACE), suppress(RuntimeError):
            await self.caller.call(self._rpc.close_rpc)

    async def ask(self, handler: str, **arguments: Any) -> Any:
        """Call one of the scheduler's handlers by its name.

        Raises:
            SchedulerUnreachable: no connection, or it broke before the answer.
            ClusterError: the handler raised; its error is the cause.
        """
        self._check_line(handler)
        with scheduler_errors(handler, self.address):
            return await self.caller.call(lambda: getattr(self._rpc, handler)(**arguments))

    def _check_line(self, what: str) -> None:
        # Somebody else may drive by now; and a probe that has gone cannot be asked without errors in a log there.
        if self.cut:
            raise SchedulerUnreachable(f"{what} on {self.address}: no line to it: {self.cut}")

    async def ask_probe(self, handler: str, **arguments: Any) -> Any:
        """Call one of the probe's handlers.

        Raises:
            SchedulerUnreachable: the probe has gone, since our line is broken; it comes back with the line.
            ClusterError: as `ask`.
        """
        answer = await self.ask(f"{PREFIX}{handler}", **arguments)
        if answer is None:  # what the scheduler says where it has no such handler
            raise SchedulerUnreachable(f"{handler} on {self.address}: the probe has gone")
        return answer

    async def order(self, handler: str, **arguments: Any) -> Any:
        """Call one of the probe's handlers that only the driver may call.

        Raises:
            AlreadyDriven: another one drives by now.
            ClusterError: as `ask`.
        """
        answer = await self.ask_probe(handler, epoch=self.epoch, **arguments)
        if "not_driver" in answer:
            raise AlreadyDriven(f"{self.address} is driven by {answer['not_driver']}, not by us any more")
        return answer

    async def identity(self) -> dict[str, Any]:
        """What the scheduler says of itself and of all its workers."""
        answer: dict[str, Any] = await self.ask("identity")
        return answer

    def workers_changed(self) -> None:
        """Let the next `roster` ask again: workers have come or gone."""
        self._roster_is_stale = True

    async def roster(self, *, refresh: bool = False) -> Roster:
        """The registered workers by name; asked anew when told so or when workers have changed since."""
        if refresh or self._roster_is_stale:
            self._roster_is_stale = False
            try:
                self._roster = await self._asked_roster()
            except BaseException:
                self._roster_is_stale = True
                raise
        return self._roster

    async def _asked_roster(self) -> Roster:
        if self.epoch is None:
            return roster_of_identity(await self.identity())
        return roster_of_rows(await self.ask_probe("load", rows=True))

    async def target(self, target_duration: float, offers: Mapping[str, float] | None = None) -> Load:
        """How many workers the work asks for, and how much they have to do.

        Args:
            target_duration: the time in which the work is to be done, in seconds.
            offers: the resources of a new worker; None where nobody can tell.
        """
        if self.epoch is None:
            return await self._stock_target(target_duration)
        return load_of(work_of(await self.ask_probe("load")), target_duration, offers)

    async def candidates(self) -> Sequence[Candidate]:
        """Each worker as one that might leave. Needs the probe."""
        return candidates_of(await self.ask_probe("candidates"))

    async def _stock_target(self, target_duration: float) -> Load:
        """The scheduler's ``adaptive_target``."""

        async def both() -> tuple[int, dict[str, dict[str, int]]]:
            target = self._rpc.adaptive_target(target_duration=target_duration)
            return tuple(await asyncio.gather(target, self._rpc.get_task_prefix_states()))

        self._check_line("adaptive_target")
        with scheduler_errors("adaptive_target", self.address):
            wanted, states = await self.caller.call(both)
        processing = sum(prefix.get("processing", 0) for prefix in states.values())
        why = f"the scheduler asks for it, to have the work done in {target_duration:g} s"
        memory = memory_of((await self.roster()).values())
        return Load(int(wanted), why, processing, memory, degraded=self.degraded)

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

    async def stored(self, addresses: Sequence[str]) -> int:
        """Of how many results these workers have a copy; workers that have gone have none."""
        answer = await self.ask("has_what", workers=list(addresses))
        return sum(len(keys) for keys in answer.values())


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
