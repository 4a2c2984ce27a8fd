"""A ``KubeCluster`` of Dask's Kubernetes operator. A unit is one Deployment: one pod, with one worker as a rule.

Its ``scale(n)`` lets the operator choose who goes. So a worker is drained by us and stays, empty and fenced, until
Kubernetes ends its pod: one that ended by itself would be started again by its Deployment, and get tasks.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import anyio

from trio_adaptive.clusters.base import Terms
from trio_adaptive.clusters.dask import ENDED
from trio_adaptive.clusters.foreign import foreign_errors
from trio_adaptive.clusters.linked import LinkedCluster, strangers
from trio_adaptive.clusters.pods import worker_names
from trio_adaptive.clusters.workergroup import POLL, Listed, WorkerGroup
from trio_adaptive.dask.answers import Roster
from trio_adaptive.dask.drain import drain, give_back
from trio_adaptive.dask.fence import RESTORE_TIMEOUT
from trio_adaptive.dask.leave import Leave
from trio_adaptive.dask.link import SchedulerLink, open_link
from trio_adaptive.dask.loops import CANCEL_GRACE
from trio_adaptive.decision.model import Unit, UnitId, UnitState
from trio_adaptive.errors import ClusterClosed, ClusterError, ConfigurationError, DrainRefused, Mistake

T = TypeVar("T")


class KubernetesCluster(LinkedCluster):
    """The port for one ``KubeCluster`` and its default worker group. Made by `open_kube_cluster`."""

    def __init__(self, cluster: Any, link: SchedulerLink, group: WorkerGroup) -> None:
        super().__init__(link)
        self._cluster = cluster
        self._group = group
        self._size = 1
        self._served: set[UnitId] = set()

    @property
    def name(self) -> str:
        return f"{type(self._cluster).__name__} {self._cluster.name}"

    @property
    def unit_size(self) -> int:
        """Workers in a new unit."""
        return self._size

    async def open(self) -> None:
        """Ask the API server for the first time.

        Raises:
            ConfigurationError: the operator's own autoscaler adapts the cluster.
        """
        self._size = await self._on_loop("its worker group", self._group.open)
        if await self._on_loop("its autoscaler", self._group.has_autoscaler):
            problem = f"a DaskAutoscaler adapts {self._cluster.name} already"
            allowed = f"one autoscaler: kubectl delete daskautoscaler {self._cluster.name}"
            raise ConfigurationError([Mistake("cluster", problem, allowed)])

    async def close(self) -> None:
        """Wait for what is under way, if not for long: the API server may have gone."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_GRACE):
            await self._link.caller.call(self._group.close)

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:
        roster = await self._link.roster(refresh=refresh)
        listed = await self._listed(0.0 if refresh else POLL)
        units = tuple(self._unit(each, roster) for each in listed)
        known = {name for unit in units for name in unit.workers}
        # One that has just come, or whose pod has gone before its line to the scheduler, is ours as well.
        ours = f"{self._group.name}-worker-"
        others = {name: info for name, info in roster.items() if not name.startswith(ours)}
        self._served &= {unit.id for unit in units}
        self._served |= {unit.id for unit in units if unit.state == "registered"}
        return (*units, *strangers(others, known))

    async def launch(self, units: Sequence[UnitId]) -> None:
        await self._on_loop("launch", lambda: self._group.launch(units))

    async def cancel(self, units: Sequence[UnitId]) -> None:
        listed = {each.unit: each for each in await self._listed(0.0) if each.unit in units and each.deployed}
        names = {
            unit: worker_names(each.deployed.name, self._size)
            for unit, each in listed.items()
            if each.deployed
        }
        async with self._turned_away([name for some in names.values() for name in some]) as here:
            kept = [unit for unit in units if here & set(names.get(unit, ()))]
            await self._remove([unit for unit in units if unit not in kept])
        if kept:
            raise ClusterError(f"registered meanwhile, and so not cancelled: {', '.join(kept)}")

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        listed = [each.deployed for each in await self._listed(0.0) if each.unit == unit]
        names = [name for each in listed if each for name in worker_names(each.name, self._size)]
        addresses = await self._addresses(names)
        terms.forces()
        try:
            await self._leave(unit, addresses, terms)
        except DrainRefused:
            raise
        except BaseException:
            if terms.committed:
                await self._carry_through(unit, addresses, terms)
            raise
        while any(each.unit == unit for each in await self._listed(POLL)):
            await anyio.sleep(POLL)

    async def _carry_through(self, unit: UnitId, addresses: Sequence[str], terms: Terms) -> None:
        """Retired, but not ended, it would neither work nor go: so the rest is done now, or it is given back."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(RESTORE_TIMEOUT), suppress(ClusterError):
                await self._leave(unit, addresses, terms)
                return
            with anyio.move_on_after(RESTORE_TIMEOUT), suppress(ClusterError):
                if not await self._is_leaving(unit):
                    await give_back(self._link, addresses)

    async def _is_leaving(self, unit: UnitId) -> bool:
        """Whether Kubernetes is ending it; False where it does not say."""
        with suppress(ClusterError):
            listed = [each.deployed for each in await self._listed(0.0) if each.unit == unit]
            return all(each is not None and each.state == "leaving" for each in listed)
        return False

    async def _leave(self, unit: UnitId, addresses: Sequence[str], terms: Terms) -> None:
        if addresses:
            leave = Leave(addresses, terms.commit, terms.forced, terms.only_idle, terms.deadline, close=False)
            await drain(self._link, leave)
        terms.stopping()
        await self._remove([unit])

    async def _remove(self, units: Sequence[UnitId]) -> None:
        if units:
            await self._on_loop("deleting Deployments", lambda: self._group.remove(units))

    async def _listed(self, max_age: float) -> list[Listed]:
        return await self._on_loop("its pods", lambda: self._group.units(max_age))

    def _unit(self, listed: Listed, roster: Roster) -> Unit:
        if listed.deployed is None:
            return Unit(listed.unit, "requested", size=self._size)
        names = worker_names(listed.deployed.name, self._size)
        here = tuple(name for name in names if name in roster)
        state: UnitState = listed.deployed.state
        if state == "failed" and listed.unit in self._served:
            state = "lost"
        if here and state != "leaving":
            state = "registered"
        executing, idle, stored = self._activity(here, roster)
        detail = listed.deployed.detail if state in {"failed", "lost"} else ""
        return Unit(
            listed.unit, state, here or names, self._size, executing, detail=detail, idle=idle, stored=stored
        )

    async def _on_loop(self, what: str, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        # Before calling on its loop, which ends with it.
        if self._cluster.status in ENDED or self._link.caller.loop.is_closed():
            raise ClusterClosed("the cluster has been closed")
        with foreign_errors(f"{what} of {self.name}"):
            return await self._link.caller.call(function)


@asynccontextmanager
async def open_kube_cluster(cluster: Any) -> AsyncGenerator[KubernetesCluster]:
    """The port for a ``KubeCluster`` that has been started.

    Raises:
        ConfigurationError: the operator's own autoscaler adapts it.
        ClusterError: the API server does not answer as it should, for example without the rights for it.
    """
    loop = cluster.loop.asyncio_loop
    security = getattr(cluster, "security", None)
    async with open_link(cluster.scheduler_address, security=security, loop=loop) as link:
        port = KubernetesCluster(cluster, link, WorkerGroup(cluster.namespace, cluster.name))
        try:
            await port.open()
            yield port
        finally:
            await port.close()
