"""A cluster under examination, seen through its port only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import anyio
from attrs import define, field

from trio_adaptive.clusters.base import Terms
from trio_adaptive.decision.model import ENDED, Unit, UnitId, UnitState
from trio_adaptive.errors import ClusterError

POLL: Final = 0.02
"""Time between two looks for something that is to happen, in seconds."""


@define
class Subject:
    """The cluster under examination.

    Attributes:
        port: the cluster, which is not believed to be what it says.
        doing: what is being waited for, in words.
        named: every unit that has been launched.
    """

    port: Any
    doing: str = "nothing"
    named: list[UnitId] = field(factory=list[UnitId])
    _numbers: Iterable[int] = field(factory=itertools.count)

    def names(self, n: int) -> list[UnitId]:
        """Names for new units."""
        fresh = [UnitId(f"conformance-{number}") for number in itertools.islice(self._numbers, n)]
        self.named += fresh
        return fresh

    async def look(self) -> dict[UnitId, Unit]:
        """The cluster's own units, without those that have ended."""
        self.doing = "look()"
        units = await self.port.look(refresh=True)
        return {unit.id: unit for unit in units if unit.ours and unit.state not in ENDED}

    async def until(self, test: Callable[[dict[UnitId, Unit]], bool], doing: str) -> dict[UnitId, Unit]:
        """Look until the test holds."""
        while True:
            units = await self.look()
            if test(units):
                return units
            self.doing = doing
            await anyio.sleep(POLL)

    async def registered(self, n: int) -> list[UnitId]:
        """Launch ``n`` units and wait until they work."""
        fresh = self.names(n)
        self.doing = "launch()"
        await self.port.launch(fresh)
        await self.until(lambda units: complete(units, fresh), f"all workers of {n} units to register")
        return fresh

    async def drain(self, unit: UnitId) -> None:
        """Drain a unit for good."""
        terms = Terms()
        self.doing = "drain()"
        await self.port.drain(unit, terms)
        must(terms.committed, "drain() returned without having called commit()")

    async def give_back(self) -> None:
        """Cancel and drain whatever there is."""
        while units := await self.look():
            waiting = [unit.id for unit in units.values() if unit.state in {"planned", "requested"}]
            self.doing = "cancel()"
            with suppress(ClusterError):  # registered meanwhile: the next round drains it
                await self.port.cancel(waiting)
            for unit in units.values():
                if unit.state == "registered":
                    await self.drain(unit.id)
            self.doing = "everything to be gone"
            await anyio.sleep(POLL)


def must(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def all_are(units: dict[UnitId, Unit], names: Iterable[UnitId], state: UnitState) -> bool:
    return all(name in units and units[name].state == state for name in names)


def complete(units: dict[UnitId, Unit], names: Sequence[UnitId]) -> bool:
    return all_are(units, names, "registered") and all(len(units[n].workers) >= units[n].size for n in names)


def listed(units: Iterable[object]) -> str:
    return ", ".join(map(str, units)) or "nothing"
