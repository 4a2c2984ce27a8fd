"""The runtime as the drop-in uses it: on a cluster's event loop, asking an object that it must not keep alive."""

from __future__ import annotations

import inspect
import logging
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
from attrs import evolve

from trio_adaptive.clusters.base import Terms
from trio_adaptive.clusters.dask import open_dask_cluster
from trio_adaptive.clusters.foreign import foreign_errors
from trio_adaptive.config import Settings
from trio_adaptive.dask.loops import LoopCaller
from trio_adaptive.decision.model import Load, SetLimits, WorkerName
from trio_adaptive.decision.state import LEAVING
from trio_adaptive.errors import ClusterClosed
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.arguments import limits
from trio_adaptive.runtime.lifetime import Lifetime


async def home(cluster: Any, function: Callable[[], Awaitable[None]]) -> None:
    """Await something on the cluster's own loop, from whichever loop."""

    async def call() -> None:
        await function()

    if cluster is None:
        await call()
    else:
        await LoopCaller(cluster.loop.asyncio_loop).call(call)


class Engine(Adaptive):
    """Adapts for an object of upstream's kind, by way of what its class has overridden.

    Args:
        cluster: what is adapted: the cluster object, or `Overridden`.
        owner: a weak reference to the object of upstream's kind.
        base: its class, or the one of this package that its class is made from.
        settings: all of them.
        options: passed on to ``Scheduler.workers_to_close``.
    """

    # Upstream adapts what can only shrink as well: a SpecCluster with a list of workers and no word on further ones.
    _must_grow = False

    def __init__(
        self,
        cluster: Any,
        owner: weakref.ref[Any],
        base: type,
        settings: Settings,
        options: Mapping[str, Any],
    ) -> None:
        self._owner = owner
        self._base = base
        self._named: list[WorkerName] = []
        self._called_off = ""
        self.stepping = False
        self.before: Engine | None = None
        """The engine that had the cluster before; also one that never came to run waits for it."""
        if self._overridden(owner(), "recommendations"):  # the patience is in the verdict
            settings = evolve(settings, wait_count=1, idle_timeout=0.0)
        super().__init__(cluster, settings=settings)
        self._scheduler_options = dict(options)

    def _new_life(self) -> Lifetime:
        life = Lifetime(self.cluster, self.settings, self._load, self._suggest, tell)
        life.history.own_name = self._own_name
        return life

    @property
    def is_ready(self) -> bool:
        """Whether commands are taken."""
        return self._life.ready.is_set()

    async def when_ready(self, function: Callable[[], None]) -> None:
        """Call a command as soon as commands are taken."""
        await self._life.ready.wait()
        function()

    def preset_limits(self, minimum: int | None = None, maximum: float | None = None) -> None:
        """Change the bounds of an engine that is stepped by hand."""
        self._life.preset(SetLimits(0.0, *limits(self._life.bounds, minimum, maximum)))

    @property
    def limits(self) -> tuple[int, float]:
        """Minimum and maximum, in workers."""
        return self._life.bounds

    @property
    def upstream_log(self) -> deque[tuple[float, dict[str, Any]]]:
        """The log itself, as upstream has it, not a copy."""
        return self._life.history.log

    async def live(self) -> str:
        """Adapt until the end, but not before the engine that had the cluster before has ended; returns why."""
        await self._wait_turn()
        if self._called_off:
            return self._called_off
        await self.run()
        return self.statistics().stop_reason

    def stop(self, reason: str = "stopped by the program", *, by: str = "") -> None:
        """End adapting: who is leaving but can still come back stays, and who cannot gets its time to go."""
        self._called_off = reason
        self._life.recall_drains()
        super().stop(reason, by=by)

    async def wait_ended(self) -> None:
        """Wait until nothing of it and of those before it is left, where there ever was something."""
        await self._wait_turn()
        if self._life.stage in {"running", "stopping"}:
            await self.wait_stopped()

    async def _wait_turn(self) -> None:
        if self.before is not None:
            await self.before.wait_ended()
            self.before = None

    async def step(self) -> None:
        """One step by hand. A step while another one is under way does nothing, as upstream.

        Raises:
            Exception: what a method of the owner has raised; `ClusterError` otherwise.
        """
        if self.stepping:
            return
        self.stepping = True
        try:
            if self._alive().state in {"starting", "running"}:
                await self._life.ready.wait()
            await self._life.step()
        finally:
            self.stepping = False

    async def drain_by_name(self, cluster: Any, names: Sequence[str]) -> None:
        """Let the units leave that these workers are, or are part of."""
        async with open_dask_cluster(cluster) as port, anyio.create_task_group() as tasks:
            for unit in await port.look(refresh=True):
                if any(worker in names for worker in unit.workers):
                    tasks.start_soon(port.drain, unit.id, Terms())

    # Asking the owner, and only for as long as it lives

    async def _load(self) -> Load:
        owner = self._alive()
        asked = self._overridden(owner, "recommendations", "safe_target", "target")
        if owner.cluster is not None and asked is None and self.cluster is owner.cluster:
            return await self._life.port.target(self.settings.target_duration)
        if asked == "recommendations":
            return await self._recommended(owner)
        what = "target" if asked == "target" else "safe_target"
        return Load(int(await self._asked(owner, what)), f"{what}() of {type(owner).__name__}")

    async def _recommended(self, owner: Any) -> Load:
        target = await self._asked(owner, "safe_target")
        verdict = await self._asked(owner, "recommendations", target)
        leaving = self._leaving()  # they count as gone: a verdict of "same" does not call them back
        staying = [name for name in map(str, owner.plan) if name not in leaving]
        self._named = [WorkerName(name) for name in map(str, verdict.get("workers", ())) if name in staying]
        size = int(verdict["n"]) if verdict["status"] == "up" else len(staying) - len(self._named)
        return Load(size, f"recommendations() of {type(owner).__name__}")

    def _leaving(self) -> set[WorkerName]:
        units = () if self.sample is None else self.sample.units
        gone = {unit for unit, flight in self._life.state.flights.items() if flight.kind in LEAVING}
        return {worker for unit in units if unit.id in gone for worker in unit.workers}

    async def _suggest(self, target: int) -> Sequence[WorkerName]:
        owner = self._alive()
        if self._overridden(owner, "recommendations"):
            return self._named
        if self.cluster is owner.cluster and not self._overridden(owner, "workers_to_close"):
            return await super()._suggest(target)
        names = await self._asked(owner, "workers_to_close", target=target)
        return [WorkerName(str(name)) for name in names]

    async def _asked(self, owner: Any, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method in a task of its own: a deadline of ours must not reach into distributed more than once."""

        async def call() -> Any:
            answer = getattr(owner, method)(*arguments, **options)
            return await answer if inspect.isawaitable(answer) else answer

        with foreign_errors(f"{method}()"):
            if owner.cluster is None:
                return await call()
            return await LoopCaller(owner.cluster.loop.asyncio_loop).call(call)

    def _alive(self) -> Any:
        owner = self._owner()
        if owner is None:
            raise ClusterClosed("the adaptive object is gone")
        return owner

    def _overridden(self, owner: Any, *methods: str) -> str | None:
        """The first of these that the owner's class has of its own."""
        cls = type(owner)
        return next((m for m in methods if getattr(cls, m) is not getattr(self._base, m)), None)

    def _own_name(self, worker: WorkerName) -> Any:
        """The cluster's own name, which need not be text."""
        # A cluster class of one's own need not have a plan; its workers go by what the scheduler calls them.
        plan = getattr(self._owner(), "plan", ())
        return next((name for name in plan if str(name) == worker), worker)


class Overridden:
    """The cluster as an object of upstream's kind describes it: its sets, and its methods that act."""

    def __init__(self, owner: weakref.ref[Any]) -> None:
        self._owner = owner

    @property
    def plan(self) -> Any:
        return self._alive().plan

    @property
    def requested(self) -> Any:
        return self._alive().requested

    @property
    def observed(self) -> Any:
        return self._alive().observed

    async def scale(self, n: int) -> None:
        await _result(self._alive().scale_up(n))

    async def scale_down(self, names: Sequence[Any]) -> None:
        await _result(self._alive().scale_down(names))

    async def target(self) -> int:
        return int(await _result(self._alive().target()))

    def _alive(self) -> Any:
        owner = self._owner()
        if owner is None:
            raise ClusterClosed("the adaptive object is gone")
        cluster = owner.cluster
        if cluster is not None and cluster.status.name in {"closing", "closed", "failed"}:
            raise ClusterClosed("the cluster has been closed")
        return owner


async def _result(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def tell(level: int, message: str) -> None:
    """Log what goes wrong where upstream logs it, and in its words."""
    prefix = "Adaptive encountered an error while adapting: " if level >= logging.WARNING else ""
    logging.getLogger("distributed.deploy.adaptive").log(level, "%s%s", prefix, message)
