"""What all adapters with a Dask scheduler have in common: the scheduler's answers, and workers by their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from trio_adaptive.clusters.base import Terms, Wake
from trio_adaptive.clusters.offers import Offers
from trio_adaptive.dask.answers import Roster, WorkerInfo
from trio_adaptive.dask.drain import drain
from trio_adaptive.dask.events import watch_scheduler
from trio_adaptive.dask.leave import Halt, Leave
from trio_adaptive.dask.line import Line, open_line
from trio_adaptive.dask.link import SchedulerLink
from trio_adaptive.decision.model import Load, Unit, UnitId, WorkerName
from trio_adaptive.decision.victims import ranked, whole_units
from trio_adaptive.errors import AlreadyDriven, ClusterError


class LinkedCluster(ABC):
    """The part of the port that its scheduler answers."""

    def __init__(self, link: SchedulerLink) -> None:
        self._link = link
        self._is_leased = False
        self._line: Line | None = None
        self._seen_offers: Offers | None = None

    @property
    def offers(self) -> Offers | None:
        """The resources of a new worker; where nobody can tell, of one of ours seen last, None before that."""
        planned = self._planned_offers()
        return self._seen_offers if planned is None else planned

    def _planned_offers(self) -> Offers | None:
        """What the cluster itself tells of its next worker's resources."""
        return None

    @asynccontextmanager
    async def lease(self, driver: str, *, take_over: bool) -> AsyncGenerator[None]:
        """Be the driver for as long as the block lasts; see `trio_adaptive.dask.line.open_line`."""
        if self._is_leased:  # two lines would share one link, and what it knows of them
            raise AlreadyDriven(f"{self._link.address} is driven by this program, through the same object")
        self._is_leased = True
        try:
            async with open_line(self._link, driver, take_over=take_over) as self._line:
                yield
        finally:
            self._is_leased, self._line = False, None

    async def watch(self, wake: Wake) -> None:
        if self._line is None:
            await watch_scheduler(self._link, wake)
        else:
            await self._line.watch(wake)

    async def target(self, target_duration: float) -> Load:
        return await self._link.target(target_duration, self.offers)

    @abstractmethod
    async def look(self, *, refresh: bool) -> tuple[Unit, ...]: ...

    async def suggest(self, target: int, options: dict[str, Any]) -> Sequence[WorkerName]:
        """As the port has it.

        The scheduler knows nothing of units, and would choose idle workers from here and there: of two jobs one half
        each. So it is asked to put all workers into an order, in which the units are looked for. With the probe, and
        without options of a user's own, the order is ours.
        """
        units = [unit for unit in await self.look(refresh=False) if unit.state == "registered"]
        if self._link.epoch is not None and not options:
            return ranked(await self._link.candidates(), units, target)
        if all(unit.size == 1 for unit in units):
            return await self._link.suggest(target, options)
        return whole(await self._link.suggest(0, options), units, target)

    @asynccontextmanager
    async def _turned_away(self, names: Sequence[WorkerName]) -> AsyncGenerator[set[WorkerName]]:
        """Keep work from those of these workers that have not come yet, while the block calls off their start.

        Yields the names of those that have come already. Without the probe no work can be kept from one that comes
        in the middle of that.
        """
        if self._link.epoch is None:
            yield set(names) & (await self._link.roster(refresh=True)).keys()
            return
        answer = await self._link.order("turn_away", names=list(names))
        try:
            yield {WorkerName(name) for name in answer["here"]}
        except ClusterError:
            await self._expect(names, back=True)
            raise
        await self._expect(names, back=False)  # where the block is cancelled, ending them goes on without us

    async def _expect(self, names: Sequence[WorkerName], *, back: bool) -> None:
        with suppress(ClusterError):  # it ends with our turn as the driver as well
            await self._link.order("expect", names=list(names), back=back)

    async def _drain_workers(
        self, names: Sequence[WorkerName], terms: Terms, *, halt: Halt | None = None
    ) -> bool:
        """Take these workers, one unit's, out of service; see `Cluster.drain`. Returns whether there were any."""
        terms.forces()
        addresses = await self._addresses(names)
        if not addresses:
            terms.stopping()
            return False
        while addresses:
            leave = Leave(addresses, terms.commit, terms.forced, terms.only_idle, terms.deadline, halt=halt)
            await drain(self._link, leave)
            # Another one of the unit's may have come meanwhile, and got work. It is to finish that as well.
            addresses = await self._addresses(names) if len(names) > 1 else []
        terms.stopping()
        return True

    async def _addresses(self, names: Sequence[WorkerName]) -> list[str]:
        """Where these workers listen; those that have not registered, or have gone, are left out."""
        roster = await self._link.roster()
        if any(name not in roster for name in names):
            roster = await self._link.roster(refresh=True)
        return [roster[name].address for name in names if name in roster]

    def _activity(self, here: Sequence[WorkerName], roster: Roster) -> Activity:
        """What those of our workers that have registered do; also remembers what they offer."""
        if here:
            self._seen_offers = roster[here[-1]].resources
        return activity([roster[name] for name in here])


class Activity(NamedTuple):
    """What the workers of one unit do, as `Unit` has it."""

    executing: int
    idle: float | None
    stored: int


def activity(workers: Sequence[WorkerInfo]) -> Activity:
    """What these workers do together: idle are they only when all of them are, and since the last one is."""
    idle = [worker.idle for worker in workers if worker.idle is not None]
    return Activity(
        sum(worker.executing for worker in workers),
        min(idle) if idle and len(idle) == len(workers) else None,
        sum(worker.stored for worker in workers),
    )


def whole(ranking: Sequence[WorkerName], units: Sequence[Unit], target: int) -> list[WorkerName]:
    """The workers of whole units that may go, the best unit first.

    Args:
        ranking: workers, the best candidate first; a unit goes where all of its workers are among them.
        units: those that have registered. They count as complete, since the rest of them is to be expected.
        target: how many workers are to stay.
    """
    by_id = {unit.id: unit for unit in units}
    staying = sum(unit.size for unit in units)
    going: list[WorkerName] = []
    for unit in map(by_id.__getitem__, whole_units(ranking, units)):
        if staying - unit.size >= target:
            staying -= unit.size
            going += unit.workers
    return going


def strangers(roster: Roster, known: Collection[WorkerName]) -> list[Unit]:
    """Registered workers that are not part of the cluster's plan."""
    return [
        Unit(
            UnitId(info.name),
            "registered",
            (info.name,),
            executing=info.executing,
            ours=False,
            idle=info.idle,
            stored=info.stored,
        )
        for name, info in roster.items()
        if name not in known
    ]
