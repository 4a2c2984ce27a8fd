"""Any object with ``scale(n)``: no Dask needed.

What an object may have, plain or async, and what it is good for:

- ``scale(n)``: have ``n`` workers. The only thing that it must have.
- ``target()``: how many workers the load asks for (unless a subclass of `Adaptive` overrides that).
- ``plan``, ``requested``, ``observed``: sets of names: wanted, asked for, there. ``workers`` does for all three.
  Without any of them the object is believed to have what it was last scaled to.
- ``scale_down(names)``: close these. Without it, or without names, the size goes down by ``scale(n)`` and the object
  chooses itself.
- ``workers_to_close(target)``: names of those to close, best first. Without it the ones that came last go first.

Calls that change the object come one after the other, so that it needs no locks of its own, as long as each is done
within `TURN`. One that takes longer, or hangs, holds up no other: growing waits for nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio

from trio_adaptive.clusters.base import Terms, Wake
from trio_adaptive.clusters.foreign import Threads, call_foreign, foreign_errors
from trio_adaptive.decision.model import Load, Unit, UnitId, UnitState, WorkerName

TURN: Final = 0.1
"""For how long a call waits for the one ahead of it, in seconds."""


class PlainCluster:
    """The port for an object of a user's own. Each worker is a unit."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._threads = Threads()
        self._changing = anyio.Lock()
        self._believed: list[UnitId] = []
        self._given: dict[UnitId, UnitId] = {}
        self._before: frozenset[UnitId] = frozenset()
        self._launching: list[UnitId] = []
        self._closing: set[UnitId] = set()

    @property
    def name(self) -> str:
        return type(self._cluster).__name__

    @property
    def unit_size(self) -> int:
        return 1

    @property
    def queues(self) -> bool:
        """Nobody knows how long what it has been asked for may take."""
        return True

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:  # noqa: ARG002 - it is always asked
        with foreign_errors(f"the workers of {self.name}"):
            plan = self._names("plan")
            if plan is None:
                return tuple(Unit(unit, "registered", (WorkerName(unit),)) for unit in self._believed)
            requested = self._names("requested")
            observed = self._names("observed")
        self._give_names(plan)
        requested = plan if requested is None else requested
        observed = requested if observed is None else observed
        ids = {name: unit for unit, name in self._given.items()}
        units = [
            Unit(ids.get(name, name), _state(name, requested, observed), (WorkerName(name),)) for name in plan
        ]
        known = set(plan)
        strangers = [name for name in observed if name not in known]
        units += [Unit(name, "registered", (WorkerName(name),), ours=False) for name in strangers]
        starting = [unit for unit in self._believed if unit not in self._given]
        return (*units, *(Unit(unit, "planned") for unit in starting))

    async def target(self, target_duration: float) -> Load:  # noqa: ARG002 - its own matter
        answer = await self._call("target", self._cluster.target)
        with foreign_errors("target()"):
            return Load(int(answer), f"target() of {self.name}")

    async def suggest(self, target: int, options: dict[str, Any]) -> Sequence[WorkerName]:  # noqa: ARG002
        choose = getattr(self._cluster, "workers_to_close", None)
        if choose is not None:
            names = await self._call("workers_to_close", choose, target)
            return [WorkerName(str(name)) for name in names]
        units = [unit for unit in await self.look(refresh=True) if unit.state == "registered"]
        return [name for unit in reversed(units[target:]) for name in unit.workers]

    async def launch(self, units: Sequence[UnitId]) -> None:
        self._believed += units
        try:
            async with self._turn():
                before = self._names("plan")
                self._begin(units, before or ())
                try:
                    await self._call("scale", self._cluster.scale, self._size(before))
                finally:
                    self._give_names(self._names("plan") or ())
                    self._launching = [unit for unit in self._launching if unit not in units]
        except BaseException:
            # Where sizes are all that there is, repeating the call does no harm; believing in it does.
            self._forget(units)
            raise
        if before is not None:
            self._forget(units)

    async def cancel(self, units: Sequence[UnitId]) -> None:
        await self._close(units)

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        terms.stopping()  # nobody here knows how to take a worker back
        await self._close([unit])

    async def watch(self, wake: Wake) -> None:  # noqa: ARG002 - it does not tell of changes
        await anyio.sleep_forever()

    async def _close(self, units: Sequence[UnitId]) -> None:
        async with self._turn():
            self._closing.update(units)
            try:
                await self._give_back(units)
            finally:
                self._closing.difference_update(units)

    async def _give_back(self, units: Sequence[UnitId]) -> None:
        plan = self._names("plan")
        close = getattr(self._cluster, "scale_down", None)
        if plan is None:
            await self._call("scale", self._cluster.scale, self._size(plan))
            self._forget(units)
            return
        names = [name for name in (self._given.get(unit, unit) for unit in units) if name in plan]
        if not names:
            return
        if close is None:
            await self._call("scale", self._cluster.scale, self._size(plan))
        else:
            await self._call("scale_down", close, self._own_names(names))
        for unit in units:
            self._given.pop(unit, None)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """One after the other, but for those that take too long."""
        ours = False
        with anyio.move_on_after(TURN):
            await self._changing.acquire()
            ours = True
        try:
            yield
        finally:
            if ours:
                self._changing.release()

    def _size(self, plan: Sequence[UnitId] | None) -> int:
        """How many workers there are to be by what has been asked for; ``plan`` need not show all of that yet."""
        if plan is None:
            return sum(unit not in self._closing for unit in self._believed)
        coming = sum(unit not in self._given for unit in self._launching)
        if getattr(
            self._cluster, "scale_down", None
        ):  # it names those that are to go: the size is another matter
            return len(plan) + coming
        closing = {self._given.get(unit, unit) for unit in self._closing}
        return sum(name not in closing for name in plan) + coming

    def _begin(self, units: Sequence[UnitId], plan: Sequence[UnitId]) -> None:
        """What turns up in the plan from now on may be these."""
        self._give_names(plan)  # first to those that are on their way already
        if not self._launching:
            self._before = frozenset(plan)
        self._launching += units

    def _forget(self, units: Sequence[UnitId]) -> None:
        self._believed = [unit for unit in self._believed if unit not in units]

    def _give_names(self, plan: Sequence[UnitId]) -> None:
        """Call what is new in the plan by our names; it may turn up at any moment of a launch."""
        taken = self._before.union(self._given.values())
        fresh = [name for name in plan if name not in taken]
        nameless = [unit for unit in self._launching if unit not in self._given]
        self._given.update(zip(nameless, fresh, strict=False))

    def _names(self, attribute: str) -> list[UnitId] | None:
        """The names in one of the object's sets, in a fixed order; None where it has no such set."""
        for having in (attribute, "workers"):
            names: Iterable[Any] | None = getattr(self._cluster, having, None)
            if names is not None:
                return sorted((UnitId(str(name)) for name in names), key=_natural)
        return None

    def _own_names(self, names: Sequence[UnitId]) -> list[Any]:
        """The object's own names, which need not be text."""
        plan = getattr(self._cluster, "plan", None)
        own = {str(name): name for name in (self._cluster.workers if plan is None else plan)}
        return [own[name] for name in names]

    async def _call(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return await call_foreign(f"{what}() of {self.name}", function, *arguments, threads=self._threads)


def _state(name: UnitId, requested: Sequence[UnitId], observed: Sequence[UnitId]) -> UnitState:
    if name in observed:
        return "registered"
    return "requested" if name in requested else "planned"


def _natural(name: str) -> tuple[int, str]:
    """Shorter names first, so that 9 comes before 10."""
    return len(name), name
