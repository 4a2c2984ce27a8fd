"""The Kubernetes side of a ``KubeCluster``: one DaskWorkerGroup object, the Deployments under it and their pods.

The operator acts when ``replicas`` of the group changes, and only then: it counts the Deployments, makes those that are
missing, or retires and deletes as many as are too many, which it chooses itself. Three rules keep it from choosing:

- A Deployment is deleted by us, which it does not mind; then ``replicas`` is lowered, and it finds nothing to do.
- ``replicas`` is never lowered below the number of Deployments that there are.
- One change at a time, each when the operator is through with the one before, which it notes on the object. Otherwise
  it would make up for a Deployment that goes while it counts, and not see a change that is taken back at once.

Everything here runs on the cluster object's own event loop.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Coroutine, Sequence
from importlib import import_module
from typing import Any, Final

from attrs import frozen

from trio_adaptive.clusters.pods import Deployed, Json, deployed, workers_in
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ClusterClosed

DASK: Final = "kubernetes.dask.org/v1"
HANDLED: Final = "kopf.zalando.org/last-handled-configuration"
"""The annotation in which the operator notes the state of an object that it has dealt with."""

POLL: Final = 0.2
"""Time between two looks at something that the operator or Kubernetes is to do, in seconds; looks may be as old."""

PATIENCE: Final = 5.0
"""How long the operator may show no sign of dealing with a change before it is taken to be away, in seconds."""


@frozen
class Listed:
    """One unit; ``deployed`` is None while the operator has not made its Deployment."""

    unit: UnitId
    deployed: Deployed | None


@frozen
class _Snapshot:
    """The group at one time of the loop's clock; ``handled`` is whether the operator is through with it."""

    begun: float
    replicas: int
    handled: bool
    deployed: tuple[Deployed, ...]

    @property
    def existing(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.deployed if each.state != "leaving")


class WorkerGroup:
    """The default worker group of one cluster. Made on any thread, used on the cluster's loop only."""

    def __init__(self, namespace: str, cluster: str) -> None:
        self.name = f"{cluster}-default"
        self._namespace = namespace
        self._cluster = cluster
        self._api: Any = None
        self._changing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._snapshot: _Snapshot | None = None
        self._changed_at = -math.inf
        self._waiting: dict[UnitId, bool] = {}
        self._given: dict[str, UnitId] = {}
        self._doomed: set[UnitId] = set()
        self._working: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Take in what there is; returns the number of workers in a unit.

        Raises:
            ClusterClosed: there is no such cluster.
        """
        self._api = await import_module(
            "kr8s.asyncio"
        ).api()  # the client that KubeCluster itself uses on this loop
        group = await self._group()
        for each in (await self._read(0)).existing:
            self._given.setdefault(each, UnitId(each))
        return workers_in(group["spec"]["worker"]["spec"])

    async def has_autoscaler(self) -> bool:
        """Whether the operator adapts this cluster by itself."""
        return await self._call("GET", DASK, f"daskautoscalers/{self._cluster}") is not None

    async def close(self) -> None:
        """Wait for requests that nobody waits for any more, and close the connections."""
        await self._worked_off()
        session = getattr(self._api, "_session", None)  # kr8s itself leaves it to the garbage collector
        if session is not None:
            await session.aclose()

    async def _worked_off(self) -> None:
        if self._working:
            await asyncio.wait(self._working)

    async def units(self, max_age: float = 0.0) -> list[Listed]:
        """Everything that exists, is on its way or is on its way out; from a look at most so many seconds old."""
        snapshot = await self._read(max_age)
        listed = [Listed(self._given.get(each.name, UnitId(each.name)), each) for each in snapshot.deployed]
        return [*listed, *(Listed(unit, None) for unit in self._waiting)]

    async def launch(self, units: Sequence[UnitId]) -> None:
        """Have the operator make so many more Deployments; they go by these names from the first moment on."""
        self._waiting.update(dict.fromkeys(units, False))
        try:
            async with self._changing:
                before = await self._balanced()
                wanted = [
                    unit for unit in units if unit in self._waiting
                ]  # without those cancelled meanwhile
                self._waiting.update(dict.fromkeys(wanted, True))
                await self._scale(before.replicas + len(wanted))
        except asyncio.CancelledError:
            # What has been asked for may come. It is listed, so that it can be taken back.
            self._forget([unit for unit in units if not self._waiting.get(unit)])
            raise
        except BaseException:
            self._forget(units)
            raise

    async def remove(self, units: Sequence[UnitId]) -> None:
        """Delete the Deployments of these units, together with what others want to remove meanwhile."""
        self._doomed.update(units)
        try:
            async with self._changing:
                if not self._doomed.isdisjoint(units):
                    await self._remove_doomed()
        finally:
            self._doomed.difference_update(units)

    async def _remove_doomed(self) -> None:
        self._forget([unit for unit in self._doomed if self._waiting.get(unit) is False])
        snapshot = await self._handled()  # from now on what was asked for has a Deployment, or gets none
        going = frozenset(self._doomed)  # who comes while these are deleted has its own turn
        for name in snapshot.existing:
            if self._given.get(name, UnitId(name)) in going:
                await self._call("DELETE", "apps/v1", f"deployments/{name}", body={})
                self._changed_at = _now()
        self._doomed -= going
        snapshot = await self._read(0)
        if len(snapshot.existing) < snapshot.replicas:
            await self._lower(snapshot)

    async def _balanced(self) -> _Snapshot:
        """The group with no more replicas wanted than there are, so that raising them makes as many as are asked for."""
        while True:
            snapshot = await self._handled()
            if snapshot.replicas <= len(snapshot.existing):
                return snapshot
            await self._lower(snapshot)

    async def _lower(self, snapshot: _Snapshot) -> None:
        await self._scale(len(snapshot.existing))
        self._forget([unit for unit, asked in self._waiting.items() if asked])

    async def _handled(self) -> _Snapshot:
        """The group once the operator is through with it, or has not stirred for `PATIENCE` seconds."""
        await self._worked_off()
        before, since = None, _now()
        while True:
            snapshot = await self._read(0)
            if before is None or (snapshot.replicas, snapshot.existing) != (before.replicas, before.existing):
                before, since = snapshot, _now()
            if snapshot.handled or _now() >= since + PATIENCE:
                return snapshot
            await asyncio.sleep(POLL)

    async def _scale(self, replicas: int) -> None:
        """Change what is wanted; being cancelled ends the waiting only, since nobody could tell whether it was done."""
        task = asyncio.ensure_future(self._patch(replicas))
        self._working.add(task)
        task.add_done_callback(self._worked)
        await asyncio.shield(task)

    async def _patch(self, replicas: int) -> None:
        self._changed_at = math.inf  # no look tells what is so until it is over
        try:
            body = {"spec": {"worker": {"replicas": replicas}}}
            if await self._call("PATCH", DASK, f"daskworkergroups/{self.name}", body=body) is None:
                raise self._is_gone()
        finally:
            self._changed_at = _now()

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # marked as seen: whoever waited for it may have gone

    async def _read(self, max_age: float) -> _Snapshot:
        async with self._reading:
            last = self._snapshot
            if max_age and last is not None and last.begun >= max(_now() - max_age, self._changed_at):
                return last
            self._snapshot = await self._look()
            self._take_in(self._snapshot)
            return self._snapshot

    async def _look(self) -> _Snapshot:
        begun = _now()
        selector = f"dask.org/workergroup-name={self.name},dask.org/component=worker"
        group, pods = await _together(self._group(), self._call("GET", "v1", "pods", labelSelector=selector))
        # Afterwards: a pod whose Deployment is not seen has lost it, rather than just been made. And what the
        # operator is through with is seen as well.
        deployments = await self._call("GET", "apps/v1", "deployments", labelSelector=selector)
        units = deployed((deployments or {}).get("items") or (), (pods or {}).get("items") or ())
        replicas = int(group["spec"]["worker"].get("replicas") or 0)
        existing = sum(each.state != "leaving" for each in units)
        return _Snapshot(begun, replicas, _is_handled(group, replicas, existing), units)

    def _take_in(self, snapshot: _Snapshot) -> None:
        """Call what is new by our names, and forget what is not coming."""
        asked = [unit for unit, asked in self._waiting.items() if asked]
        fresh = [name for name in snapshot.existing if name not in self._given]
        for name, unit in zip(fresh, asked, strict=False):
            self._given[name] = unit
        self._forget(asked[: len(fresh)])
        here = {each.name for each in snapshot.deployed}
        self._given = {name: unit for name, unit in self._given.items() if name in here}
        self._given.update({name: UnitId(name) for name in fresh[len(asked) :]})
        settled = snapshot.handled and snapshot.begun >= self._changed_at
        if settled and snapshot.replicas <= len(snapshot.existing):
            self._forget(asked)

    def _forget(self, units: Sequence[UnitId]) -> None:
        for unit in units:
            self._waiting.pop(unit, None)

    async def _group(self) -> Json:
        group = await self._call("GET", DASK, f"daskworkergroups/{self.name}")
        if group is None or group["metadata"].get("deletionTimestamp"):
            raise self._is_gone()
        return group

    def _is_gone(self) -> ClusterClosed:
        return ClusterClosed(f"the worker group {self.name} has been deleted in {self._namespace}")

    async def _call(
        self, method: str, version: str, url: str, *, body: Json | None = None, **params: str
    ) -> Json | None:
        """One request to the API server; None where there is no such object."""
        more: dict[str, Any] = {} if body is None else {"content": json.dumps(body)}
        if method == "PATCH":
            more["headers"] = {"Content-Type": "application/merge-patch+json"}
        try:
            async with self._api.call_api(
                method, version=version, namespace=self._namespace, url=url, params=params, **more
            ) as response:
                answer: Json = response.json()
                return answer
        except Exception as error:
            if getattr(getattr(error, "response", None), "status_code", None) == 404:  # noqa: PLR2004 - not found
                return None
            raise


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_handled(group: Json, replicas: int, existing: int) -> bool:
    noted = (group["metadata"].get("annotations") or {}).get(HANDLED)
    if noted is None:
        return existing == replicas
    handled: Json = json.loads(noted)
    return bool(handled.get("spec", {}).get("worker", {}).get("replicas", 0) == replicas)


async def _together(*questions: Coroutine[Any, Any, Any]) -> list[Any]:
    """All answers; when one fails, none of the others stays behind."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(question) for question in questions]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]
