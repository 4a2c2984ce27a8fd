"""What all adapters with a Dask scheduler have in common: the scheduler's answers, and workers by their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trio_adaptive.clusters.base import Terms
from trio_adaptive.dask.fence import drain
from trio_adaptive.dask.link import SchedulerLink, WorkerInfo
from trio_adaptive.decision.model import Load, Unit, UnitId, WorkerName
from trio_adaptive.decision.victims import whole_units


class LinkedCluster(ABC):
    """The part of the port that its scheduler answers."""

    def __init__(self, link: SchedulerLink) -> None:
        self._link = link

    async def target(self, target_duration: float) -> Load:
        return await self._link.target(target_duration)

    @abstractmethod
    async def look(self, *, refresh: bool) -> tuple[Unit, ...]: ...

    async def suggest(self, target: int, options: dict[str, Any]) -> Sequence[WorkerName]:
        """As the port has it.

        The scheduler knows nothing of units, and would choose idle workers from here and there: of two jobs one half
        each. So it is asked to put all workers into an order, in which the units are looked for.
        """
        units = [unit for unit in await self.look(refresh=False) if unit.state == "registered"]
        if all(unit.size == 1 for unit in units):
            return await self._link.suggest(target, options)
        return whole(await self._link.suggest(0, options), units, target)

    async def _drain_workers(self, names: Sequence[WorkerName], terms: Terms) -> bool:
        """Take these workers, one unit's, out of service; see `Cluster.drain`. Returns whether there were any."""
        addresses = await self._addresses(names)
        if not addresses:
            terms.stopping()
            return False
        while addresses:
            await drain(self._link, addresses, terms.commit)
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


def strangers(roster: Mapping[WorkerName, WorkerInfo], known: Collection[WorkerName]) -> list[Unit]:
    """Registered workers that are not part of the cluster's plan."""
    return [
        Unit(UnitId(info.name), "registered", (info.name,), executing=info.executing, ours=False)
        for name, info in roster.items()
        if name not in known
    ]
