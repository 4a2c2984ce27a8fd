"""What a ``distributed`` cluster object wants to have, entry by entry, and how it is made to want more.

Three kinds of objects say it in three ways: by a specification of every worker (``SpecCluster`` and what is built on
it), by sets of names (``plan`` and ``requested``), or not at all. Everything here runs on the object's own loop and
has no checkpoint, except inside the coroutines that `grow` returns.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from attrs import Factory, define, field, frozen
from distributed.core import Status
from distributed.deploy.cluster import Cluster
from distributed.deploy.spec import ProcessInterface, SpecCluster
from distributed.utils import import_term

from trio_adaptive.clusters.offers import Offers, offers_of_spec
from trio_adaptive.clusters.shape import group_of
from trio_adaptive.decision.model import WorkerName
from trio_adaptive.errors import ClusterError


@frozen
class Planned:
    """One entry of a cluster's plan.

    Attributes:
        key: names the entry for as long as it lasts.
        own_name: what the cluster calls it, which need not be text; None while it has no name.
        workers: names under which its workers register.
        requested: whether the cluster has asked its resource manager for it.
        failed: whether its start has failed.
        ended: whether it has closed.
        process: what has been started for it, where the cluster shows it.
    """

    key: str
    own_name: Any
    workers: tuple[WorkerName, ...]
    requested: bool
    failed: bool = False
    ended: bool = False
    process: Any = None

    @property
    def tells(self) -> bool:
        """Whether it closes by itself when its workers do, and then shows that it has ended.

        What stands for a job or a pod elsewhere does not, and who shows nothing cannot: these are ended by the cluster.
        """
        return self.process is not None and not isinstance(self.process, ProcessInterface)


class Plan(Protocol):
    """What is asked of a cluster object."""

    @property
    def unit_size(self) -> int | None:
        """Workers in a new entry."""
        ...

    @property
    def offers(self) -> Offers | None:
        """The resources of a new worker; None where the object does not tell."""
        ...

    def entries(self, registered: Collection[WorkerName]) -> list[Planned]:
        """All entries in the order of asking; ``registered`` is who was there at the last look."""
        ...

    def grow(self, n: int) -> Any:
        """Want ``n`` entries more; what it returns is to be awaited where it can be, until they have been asked for."""
        ...

    def forget(self, keys: Collection[str]) -> None:
        """These entries are about to be closed."""
        ...


def plan_of(cluster: Any) -> Plan:
    """The way in which this object says it."""
    if isinstance(cluster, SpecCluster):
        return SpecPlan(cluster)
    try:
        _ = cluster.plan, cluster.requested
    except AttributeError:
        return CountedPlan(cluster)
    return NamedPlan(cluster)


@define
class SpecPlan:
    """A ``SpecCluster``: a specification of every entry, whose ``group`` names the workers of one that has several."""

    cluster: Any
    group: tuple[str, ...] = field(default=Factory(lambda self: group_of(self.cluster), takes_self=True))
    _failed: weakref.WeakSet[Any] = field(factory=weakref.WeakSet[Any])

    @property
    def unit_size(self) -> int:
        return len(self.group)

    @property
    def offers(self) -> Offers | None:
        return offers_of_spec(self.cluster.new_spec or {})

    def entries(self, registered: Collection[WorkerName]) -> list[Planned]:  # noqa: ARG002 - the specification tells
        workers: Mapping[Any, Any] = self.cluster.workers
        plan: list[Planned] = []
        for name, entry in self.cluster.worker_spec.items():
            group = self.group if entry is self.cluster.new_spec else entry.get("group", ("",))
            names = tuple(WorkerName(f"{name}{suffix}") for suffix in group)
            worker = workers.get(name)
            status = getattr(worker, "status", None)
            failed = status == Status.failed or worker in self._failed
            ended = status == Status.closed
            plan.append(Planned(str(name), name, names, name in workers, failed, ended, worker))
        return plan

    def grow(self, n: int) -> Any:
        """Write ``n`` more entries and start them, each by itself.

        ``SpecCluster`` starts what is missing under a lock that it holds until the slowest of them is up
        (dask/distributed#5919), and what ``scale`` counts, entries or their workers, differs from class to class.
        A class with a ``scale`` of its own, one worker an entry, is asked by that.
        """
        if not self.cluster.new_spec:
            raise ClusterError("the cluster has no specification of new workers, so that it can only shrink")
        spec: dict[Any, Any] = self.cluster.worker_spec
        own_scale = type(self.cluster).scale is not SpecCluster.scale
        if own_scale and self.unit_size == 1:
            return self._asked_for(self.cluster.scale(len(spec) + n))
        fresh = self._write(n)
        return asyncio.gather(*[self._begin(name, spec[name]) for name in fresh])

    def _write(self, n: int) -> list[Any]:
        """New entries in the specification; returns their names."""
        spec: dict[Any, Any] = self.cluster.worker_spec
        # Who is being closed has been taken out of the specification but still has its name: a new one of the same
        # name would be forgotten when the old one has closed.
        closing = {name: None for name in self.cluster.workers if name not in spec}
        spec.update(closing)
        before = set(spec)
        while len(spec) < len(before) + n:
            spec.update(self.cluster.new_worker_spec())
        for name in closing:
            del spec[name]
        return [name for name in spec if name not in before]

    async def _asked_for(self, answer: Any) -> None:
        if inspect.isawaitable(answer):
            await answer
        await self.cluster  # raises where one could not be started

    def forget(self, keys: Collection[str]) -> None:
        """Nothing to do: the specification remembers."""

    def _begin(self, name: Any, entry: Mapping[str, Any]) -> asyncio.Task[None]:
        """Make the object that stands for an entry, where ``SpecCluster`` looks for it, and start it."""
        cluster = self.cluster
        kind = import_term(entry["cls"]) if isinstance(entry["cls"], str) else entry["cls"]
        address = getattr(cluster.scheduler, "contact_address", None) or cluster.scheduler.address
        worker = kind(address, **{"name": name, **entry.get("options", {})})
        worker._cluster = weakref.ref(cluster)  # noqa: SLF001 - as SpecCluster does for those that it starts
        cluster._created.add(worker)  # noqa: SLF001 - who closes the cluster closes these
        cluster.workers[name] = worker
        return asyncio.ensure_future(self._start(name, worker))

    async def _start(self, name: Any, worker: Any) -> None:
        try:
            await worker
        except Exception:
            self._failed.add(worker)  # not all kinds of workers tell by their status
            if getattr(worker, "status", None) == Status.created:
                worker.status = Status.failed  # or the cluster starts it again, unasked, and cannot be closed
            raise
        if self.cluster.workers.get(name) is not worker:
            # Closed while it was being submitted: a batch job has no number before that, and is not cancelled.
            await worker.close()


@frozen
class NamedPlan:
    """An object with the sets ``plan`` and ``requested``: each name is an entry of one worker."""

    cluster: Any
    unit_size: int = 1
    offers: Offers | None = None

    def entries(self, registered: Collection[WorkerName]) -> list[Planned]:  # noqa: ARG002 - the sets tell
        plan, requested = self.cluster.plan, self.cluster.requested
        return [_single(name, requested=name in requested) for name in sorted(plan, key=_natural)]

    def grow(self, n: int) -> Any:
        return _scale(self.cluster, len(self.cluster.plan) + n)

    def forget(self, keys: Collection[str]) -> None:
        """Nothing to do: the sets remember."""


@define
class CountedPlan:
    """An object that is only told how many workers to have: what has registered is its plan, and what is awaited.

    Attributes:
        awaited: entries that nobody has registered for, the oldest first; the next newcomer is taken for the first.
        arrived: the entry of each worker that was awaited, by its name.
    """

    cluster: Any
    unit_size: int = 1
    offers: Offers | None = None
    awaited: list[str] = field(factory=list[str])
    arrived: dict[WorkerName, str] = field(factory=dict[WorkerName, str])
    _known: set[WorkerName] = field(factory=set[WorkerName])
    _counted: int = 0

    def entries(self, registered: Collection[WorkerName]) -> list[Planned]:
        for name in sorted(set(registered) - self._known, key=_natural):
            if self.awaited:
                self.arrived[name] = self.awaited.pop(0)
        self._known = set(registered)
        self.arrived = {name: key for name, key in self.arrived.items() if name in self._known}
        here = [
            Planned(self.arrived.get(name, name), name, (name,), requested=True)
            for name in sorted(self._known, key=_natural)
        ]
        return [*here, *(Planned(key, None, (), requested=True) for key in self.awaited)]

    def grow(self, n: int) -> Any:
        size = len(self._known) + len(self.awaited) + n
        self.awaited += [f"awaited-{self._counted + i}" for i in range(n)]
        self._counted += n
        return _scale(self.cluster, size)

    def forget(self, keys: Collection[str]) -> None:
        """Wait no longer for these: nobody knows what to call them. Who comes all the same is a stranger."""
        self.awaited = [key for key in self.awaited if key not in keys]


def _single(name: Any, *, requested: bool) -> Planned:
    return Planned(str(name), name, (WorkerName(str(name)),), requested)


def _scale(cluster: Any, n: int) -> Any:
    # The oldest way of writing a cluster class has scale_up(n) in the place of scale(n).
    if type(cluster).scale is Cluster.scale:
        return cluster.scale_up(n)
    return cluster.scale(n)


def _natural(name: object) -> tuple[int, str]:
    """Shorter names first, so that 9 comes before 10."""
    return len(str(name)), str(name)
