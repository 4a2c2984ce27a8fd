"""Any ``distributed`` cluster object: in a program on trio, on its own loop in a thread, or on the caller's loop.

Everything that touches the object runs on the object's own event loop. Shrinking never goes through ``scale(n)``,
which may choose any worker: a unit is drained first and then given to ``scale_down``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
from dask import config
from dask.utils import parse_timedelta
from distributed.core import Status

from trio_adaptive.clusters.absence import Absences
from trio_adaptive.clusters.base import Terms
from trio_adaptive.clusters.foreign import foreign_errors
from trio_adaptive.clusters.linked import LinkedCluster, strangers
from trio_adaptive.clusters.offers import Offers
from trio_adaptive.clusters.plans import Planned, plan_of
from trio_adaptive.dask.answers import Roster
from trio_adaptive.dask.link import SchedulerLink, open_link
from trio_adaptive.decision.model import Load, Unit, UnitId, UnitState, WorkerName
from trio_adaptive.errors import ClusterClosed, ClusterError

ENDED: Final = frozenset({Status.closing, Status.closed, Status.failed})

POLL: Final = 0.02
"""Time between two looks at a unit that is closing, in seconds."""

CLOSING: Final = 4.0
"""How long a retired unit may take to close by itself, in seconds; a nanny takes two. Only who tells is waited for."""


class DaskCluster(LinkedCluster):
    """The port for one cluster object. Made by `open_dask_cluster`."""

    def __init__(self, cluster: Any, link: SchedulerLink) -> None:
        super().__init__(link)
        self._cluster = cluster
        self._wants = plan_of(cluster)
        self._registered: frozenset[WorkerName] = frozenset()
        self._gone: set[WorkerName] = set()
        self._given: dict[str, UnitId] = {}
        self._errors: dict[UnitId, str] = {}
        self._absences = Absences(parse_timedelta(config.get("distributed.deploy.lost-worker-timeout")))
        self._working: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        return f"{type(self._cluster).__name__} {self._cluster.name}"

    @property
    def unit_size(self) -> int | None:
        return self._wants.unit_size

    @property
    def queues(self) -> bool:
        """A batch system's jobs wait for their turn."""
        return any(each.__module__.split(".")[0] == "dask_jobqueue" for each in type(self._cluster).__mro__)

    def _planned_offers(self) -> Offers | None:
        return self._wants.offers

    async def target(self, target_duration: float) -> Load:
        with self._closed_or_else():
            return await super().target(target_duration)

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:
        with self._closed_or_else():
            roster = await self._link.roster(refresh=refresh)
        self._registered = frozenset(roster)
        plan = await self._on_loop("its plan", self._plan)
        units = [self._unit(planned, roster) for planned in plan]
        self._gone &= roster.keys()  # the scheduler hears of an end later than we do
        known = {name for planned in plan for name in planned.workers} | self._gone
        return (*units, *strangers(roster, known))

    async def launch(self, units: Sequence[UnitId]) -> None:
        async def grow() -> None:
            before = {planned.key for planned in self._plan()}
            answer = self._wants.grow(len(units))
            self._give_names(units, before)
            await self._to_its_end(started(answer, before))

        async def started(answer: Any, before: set[str]) -> None:
            if inspect.isawaitable(answer):
                await answer
            self._give_names(units, before)  # a scale() that is a coroutine does nothing before it is awaited

        try:
            await self._awaited("scale", grow)
        except Exception as error:
            self._errors.update(dict.fromkeys(units, str(error)))
            raise

    async def cancel(self, units: Sequence[UnitId]) -> None:
        plan = [p for p in await self._on_loop("its plan", self._plan) if self._id(p) in units]
        async with self._turned_away([name for planned in plan for name in planned.workers]) as here:
            # The rest of what has failed goes with it.
            serving = {self._id(p) for p in plan if not p.failed and here & set(p.workers)}
            await self._scale_down([unit for unit in units if unit not in serving])
        kept = [unit for unit in units if unit in serving]
        if kept:
            raise ClusterError(f"registered meanwhile, and so not cancelled: {', '.join(kept)}")

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        plan = await self._on_loop("its plan", self._plan)
        entries = [planned for planned in plan if self._id(planned) == unit]
        # Who is not in the plan is a stranger, and ends by itself when the scheduler has let it go.
        names = [name for planned in entries for name in planned.workers] or [WorkerName(unit)]
        if await self._drain_workers(names, terms):
            await self._ended_by_itself(unit)
        try:
            await self._scale_down([unit], entries)
        except BaseException:
            for (
                planned
            ) in entries:  # whether or not the cluster ever ends it, nothing is to be expected of it
                self._absences.let_go(planned.key)
            raise

    def _give_names(self, units: Sequence[UnitId], before: set[str]) -> None:
        """Call what is new in the plan by our names."""
        named = set(self._given.values())
        nameless = [unit for unit in units if unit not in named]
        fresh = [p.key for p in self._plan() if p.key not in before and p.key not in self._given]
        self._given.update(zip(fresh, nameless, strict=False))

    async def _ended_by_itself(self, unit: UnitId) -> None:
        """Give a retired unit the time to close, as the scheduler has told it to.

        A nanny that is closed while its worker is closing as well gets into its own way: it waits for the worker for
        four seconds, then kills it, and logs that as an error.
        """
        with anyio.move_on_after(CLOSING):
            while any(
                self._id(p) == unit and p.tells and not p.ended
                for p in await self._on_loop("its plan", self._plan)
            ):
                await anyio.sleep(POLL)

    def _plan(self) -> list[Planned]:
        """The plan, entry by entry, in the order of asking. Runs on the cluster's loop."""
        if self._cluster.status in ENDED:
            raise ClusterClosed("the cluster has been closed")
        return self._wants.entries(self._registered)

    def _id(self, planned: Planned) -> UnitId:
        return self._given.get(planned.key, UnitId(planned.key))

    def _unit(self, planned: Planned, roster: Roster) -> Unit:
        here = tuple(name for name in planned.workers if name in roster)
        state: UnitState = "requested" if planned.requested else "planned"
        unit, detail = self._id(planned), ""
        now, ended = anyio.current_time(), planned.ended or not planned.requested
        gone = self._absences.since(planned.key, planned.process, now, here=bool(here), ended=ended)
        if planned.failed:
            state, detail = "failed", self._errors.get(unit, "the cluster could not start it")
        elif here:
            state = "registered"
        elif gone is not None:
            state, detail = "lost", f"its workers left the scheduler {gone:.1f} s ago and have not come back"
        elif planned.ended:
            state, detail = "failed", "it has closed without having registered"
        executing, idle, stored = self._activity(here, roster)
        return Unit(
            unit,
            state,
            here or planned.workers,
            len(planned.workers),
            executing,
            detail=detail,
            idle=idle,
            stored=stored,
        )

    async def _scale_down(self, units: Sequence[UnitId], gone: Sequence[Planned] = ()) -> None:
        """Have these units closed, and the entries ``gone``, which may have left the plan with nobody having told it."""

        async def scale_down() -> None:
            entries = {planned.key: planned for planned in (*gone, *self._plan())}
            going = [p for p in entries.values() if p in gone or self._id(p) in units]
            self._wants.forget([planned.key for planned in going])
            names = [planned.own_name for planned in going if planned.own_name is not None]
            if names:
                await self._to_its_end(closed(names))
            for planned in going:
                self._gone.update(planned.workers)
                self._errors.pop(self._id(planned), None)
                self._given.pop(planned.key, None)
                self._absences.forget(planned.key)

        async def closed(names: list[Any]) -> None:
            answer = self._cluster.scale_down(names)
            if inspect.isawaitable(answer):
                await answer

        await self._awaited("scale_down", scale_down)

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for what the cluster does; being cancelled ends the waiting only. Runs on the cluster's loop.

        All who wait for a ``SpecCluster`` share one task. Cancelling it either loses the workers that it is starting or
        leaves the cluster waiting for a cancelled task for good.
        """
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._worked)
        await asyncio.shield(task)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # marked as seen: whoever waited for it may have gone

    async def _on_loop(self, what: str, function: Callable[[], Any]) -> Any:
        self._check_open()
        with foreign_errors(f"{what} of {self.name}"):
            return await self._link.caller.run(function)

    async def _awaited(self, what: str, function: Callable[[], Any]) -> None:
        self._check_open()
        with foreign_errors(f"{what} of {self.name}"):
            await self._link.caller.call(function)

    @contextmanager
    def _closed_or_else(self) -> Generator[None]:
        """Ask an open cluster's scheduler only; one that falls silent because the cluster closes is no news."""
        self._check_open()
        try:
            yield
        except ClusterError:
            self._check_open()
            raise

    def _check_open(self) -> None:
        # Before calling on its loop, which ends with it.
        if self._cluster.status in ENDED or self._link.caller.loop.is_closed():
            raise ClusterClosed("the cluster has been closed")


@asynccontextmanager
async def open_dask_cluster(cluster: Any) -> AsyncGenerator[DaskCluster]:
    """The port for a cluster object that has been started.

    Raises:
        ClusterClosed: it has been closed again, and its event loop with it.
    """
    if cluster.status in ENDED:
        raise ClusterClosed(f"the {type(cluster).__name__} has been closed")
    loop = cluster.loop.asyncio_loop
    security = getattr(cluster, "security", None)
    async with open_link(cluster.scheduler_address, security=security, loop=loop) as link:
        yield DaskCluster(cluster, link)
