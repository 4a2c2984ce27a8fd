"""The port: what the runtime needs of a cluster, and nothing about any particular one.

An adapter translates between these few calls and a cluster of some kind. The rules that every adapter keeps, and
that `trio_adaptive.testing.check_cluster` checks:

- A call that fails raises `trio_adaptive.errors.ClusterError` with the foreign error as its cause.
- Any call may be cancelled at any checkpoint and leaves the cluster consistent: what was started is listed by
  `look()` or has been ended.
- `launch()` lists the new units in `look()` from its first checkpoint on, under the names that it was given.
- `drain()` cancelled before it has called ``commit()`` of its terms leaves the unit in service.
- Deadlines are the caller's: no call gives up by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from attrs import define

from trio_adaptive.decision.model import Load, Lost, Unit, UnitId, WorkerName

Wake: TypeAlias = Callable[[], None]
"""Tells the collector that something has changed. Never blocks, may be called as often as one likes."""


@define(eq=False)
class Terms:
    """On which terms a unit is to leave, and how far it has come: what a drain and its caller share.

    Attributes:
        only_idle: refuse where its workers have work at the moment at which they are taken out of service.
        deadline: when the unit has to go whatever it costs, on the event loop's clock. The drain is called off then,
            unless the adapter has said that it will force an end.
        committed: whether cancelling no longer brings the unit back.
        lost: what a forced end has cost; None as long as nothing was forced.
    """

    only_idle: bool = False
    deadline: float = math.inf
    committed: bool = False
    lost: Lost | None = None
    on_forcing: Callable[[], None] = lambda: None
    on_stopping: Callable[[], None] = lambda: None

    def forces(self) -> None:
        """Whoever drains ends the unit at the deadline by itself, with the least harm."""
        self.on_forcing()

    def commit(self) -> None:
        """This is the point of no return."""
        self.committed = True

    def forced(self, lost: Lost) -> None:
        """The unit was made to go, at this cost."""
        self.committed = True
        self.lost = lost

    def stopping(self) -> None:
        """The scheduler has let go: what is left is to stop the unit."""
        self.committed = True
        self.on_stopping()


@runtime_checkable
class Cluster(Protocol):
    """What can be adapted."""

    @property
    def name(self) -> str:
        """A short name for messages."""
        ...

    @property
    def unit_size(self) -> int | None:
        """Workers in a unit that would be launched now; None where nobody can tell before it is there."""
        ...

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:
        """Everything that exists or is on its way.

        Args:
            refresh: ask the scheduler again, rather than trust what its events have told since the last time.
        """
        ...

    async def target(self, target_duration: float) -> Load:
        """How many workers the load asks for; ``target_duration`` in seconds, as in `distributed.deploy.Adaptive`."""
        ...

    async def suggest(self, target: int, options: dict[str, Any]) -> Sequence[WorkerName]:
        """Which workers to give back so that ``target`` workers stay, best candidate first.

        Args:
            target: how many workers are to stay.
            options: further options of ``Scheduler.workers_to_close``, such as ``key``.
        """
        ...

    async def launch(self, units: Sequence[UnitId]) -> None:
        """Start these units; returns when the resource manager has accepted them all.

        Raises:
            ClusterError: one or more of them could not be asked for. Those that could are listed by `look()`.
        """
        ...

    async def cancel(self, units: Sequence[UnitId]) -> None:
        """End units that have not registered, or have failed, and forget them. Unknown units are no error."""
        ...

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        """Take one unit out of service without harm and end it; returns when it is gone.

        Args:
            unit: which one. One that is gone already is no error.
            terms: whether it has to be idle, and by when it has to go; told at the point of no return, after which
                cancelling no longer brings the unit back.

        Raises:
            DrainRefused: the unit has to stay and is back in service.
            ClusterError: something else went wrong; the unit is back in service as far as could be reached.
        """
        ...

    async def watch(self, wake: Wake) -> None:
        """Call ``wake`` whenever work or workers come or go. Runs until it is cancelled."""
        ...


@runtime_checkable
class Queued(Protocol):
    """A cluster that tells whether its units wait in a queue before they start, for as long as that takes."""

    @property
    def queues(self) -> bool: ...


@runtime_checkable
class Telling(Protocol):
    """A cluster that may not have to be looked at all the time."""

    @property
    def tells_all(self) -> bool:
        """Whether, at this time, ``watch`` tells of all work and all units that come, go, begin or cease to be idle."""
        ...


@runtime_checkable
class Leased(Protocol):
    """A cluster that has one driver at a time."""

    def lease(self, driver: str, *, take_over: bool) -> AbstractAsyncContextManager[None]:
        """Be the driver for as long as the block lasts.

        Args:
            driver: who asks, as others are to read it.
            take_over: take the place of another driver, which is told.

        Raises:
            AlreadyDriven: another one drives the cluster.
        """
        ...
