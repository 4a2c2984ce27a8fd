"""Demand by class: ready tasks that ask for the same workers, hosts or resources, counted as they come and go.

Only tasks with restrictions are kept here, so that all others cost nothing. A task whose restrictions are loose can run
anywhere, and has no class.
"""

from __future__ import annotations

from typing import Any

from .facts import duration
from .places import restricted

LISTED = 32
"""So many classes are told of, those with the most tasks; a P2P shuffle makes one for each worker."""

NAMED = 3
"""So many workers or hosts are named where a class is bound to several."""

ENOUGH = 2
"""Of so many workers that can take a task, any one may leave."""


def has_class(ts: Any) -> bool:
    """Whether this task can run only here or there."""
    return restricted(ts) and not ts.loose_restrictions


class TaskClass:
    """Ready tasks with the same restrictions.

    The restrictions have the names that a task has for them. A worker fits that is named, or that is on one of the hosts,
    and has the resources.

    Attributes:
        placed: whether they are bound to certain workers or hosts.
        size: how many there are.
        waiting: how many of them no worker has.
        prefixes: how many there are of each task prefix.
        workers: how many of them each worker has, by its address.
    """

    __slots__ = (
        "host_restrictions",
        "placed",
        "prefixes",
        "resource_restrictions",
        "size",
        "waiting",
        "worker_restrictions",
        "workers",
    )

    def __init__(self, resources: Any = None, workers: Any = None, hosts: Any = None) -> None:
        self.resource_restrictions: dict[str, float] = dict(resources or {})
        self.worker_restrictions: set[str] = set(workers or ())
        self.host_restrictions: set[str] = set(hosts or ())
        self.placed = bool(self.worker_restrictions or self.host_restrictions)
        self.size = 0
        self.waiting = 0
        self.prefixes: dict[Any, int] = {}
        self.workers: dict[str, int] = {}

    def add(self, prefix: Any, address: str | None, n: int = 1) -> None:
        """Count one task more, or with ``n=-1`` one less, on this worker or on none."""
        self.size += n
        _count(self.prefixes, prefix, n)
        if address is None:
            self.waiting += n
        else:
            _count(self.workers, address, n)

    def needs(self, scheduler: Any) -> str:
        """What they ask for, in words."""
        resources = [f"{name}={n:g}" for name, n in sorted(self.resource_restrictions.items())]
        workers = [_name(scheduler, address) for address in self.worker_restrictions]
        places = [*_one_of("worker", workers), *_one_of("host", [str(h) for h in self.host_restrictions])]
        return " and ".join([*resources, *([" or ".join(places)] if places else [])])


class Classes:
    """All classes with tasks in them."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._classes: dict[Any, TaskClass] = {}
        self.tasks: dict[Any, tuple[Any, Any, str | None]] = {}
        """Key of a task -> its class's, its prefix, the worker that has it."""

    def take_over(self) -> None:
        """Count what is there already."""
        for ts in self._scheduler.unrunnable:
            if has_class(ts):
                self.put(ts, None)
        for ws in self._scheduler.workers.values():
            for ts in ws.processing:
                if has_class(ts):
                    self.put(ts, ws.address)

    def put(self, ts: Any, address: str | None) -> None:
        """This task is with this worker now, or with none."""
        self.drop(ts.key)
        restrictions = ts.resource_restrictions, ts.worker_restrictions, ts.host_restrictions
        identity = tuple(
            [frozenset(each.items() if isinstance(each, dict) else each or ()) for each in restrictions]
        )
        if identity not in self._classes:
            self._classes[identity] = TaskClass(*restrictions)
        self._classes[identity].add(ts.prefix, address)
        self.tasks[ts.key] = identity, ts.prefix, address

    def drop(self, key: Any) -> None:
        """This task is not ready any more, or has no class."""
        found = self.tasks.pop(key, None)
        if found is None:
            return
        identity, prefix, address = found
        # As it was counted: its restrictions may be others by now.
        self._classes[identity].add(prefix, address, -1)
        if not self._classes[identity].size:
            del self._classes[identity]

    def listed(self) -> list[dict[str, Any]]:
        """The largest classes, the largest first; those bound to places that are left over are told as one or two."""
        if not self._classes:
            return []
        running = {ws.address for ws in self._scheduler.running}
        ordered = sorted(self._classes.values(), key=lambda each: each.size, reverse=True)
        told = [self._told(each.needs(self._scheduler), [each], running) for each in ordered[:LISTED]]
        return told + self._rest([each for each in ordered[LISTED:] if each.placed], running)

    def only_by(self) -> set[str]:
        """Workers that have tasks that no other running one can take."""
        running = {ws.address for ws in self._scheduler.running}
        pinned: set[str] = set()
        for each in self._classes.values():
            able = self._capable(each, running)
            if len(able) < ENOUGH:
                pinned.update(address for address in each.workers if able <= {address})
        return pinned

    def _rest(self, classes: list[TaskClass], running: set[str]) -> list[dict[str, Any]]:
        """What is bound to places: all that somebody can run as one class, all that nobody can as another."""
        able: list[TaskClass] = []
        blocked: list[TaskClass] = []
        for each in classes:
            (able if self._capable(each, running) else blocked).append(each)
        return [self._told("other workers or hosts", each, running) for each in (able, blocked) if each]

    def _told(self, needs: str, classes: list[TaskClass], running: set[str]) -> dict[str, Any]:
        """These classes as one."""
        waiting = sum([each.waiting for each in classes])
        prefixes: dict[Any, int] = {}
        for each in classes:
            for prefix, n in each.prefixes.items():
                prefixes[prefix] = prefixes.get(prefix, 0) + n
        return {
            "needs": needs,
            "resources": classes[0].resource_restrictions if len(classes) == 1 else {},
            "placed": classes[0].placed,
            "capable": len(set().union(*[self._capable(each, running) for each in classes])),
            "waiting": waiting,
            "processing": sum([each.size for each in classes]) - waiting,
            "busy": len(set().union(*[each.workers for each in classes])),
            "seconds": sum([duration(self._scheduler, prefix) * n for prefix, n in prefixes.items()]),
        }

    def _capable(self, each: TaskClass, running: set[str]) -> set[str]:
        """Running workers that can take them; as `Scheduler.valid_workers`, which is slower at ten thousand workers."""
        if each.placed:
            able = each.worker_restrictions & running
            for host in each.host_restrictions:
                found = self._scheduler.host_info.get(self._scheduler.coerce_hostname(host))
                able |= (found["addresses"] & running) if found else set()
        else:
            able = running
        for resource, needed in each.resource_restrictions.items():
            supply = self._scheduler.resources.get(resource) or {}
            able = {address for address in able & supply.keys() if supply[address] >= needed}
        return able


def _count(numbers: dict[Any, int], key: Any, n: int) -> None:
    total = numbers.get(key, 0) + n
    if total:
        numbers[key] = total
    else:
        del numbers[key]


def _name(scheduler: Any, address: str) -> str:
    ws = scheduler.workers.get(address)
    return address if ws is None else str(ws.name)


def _one_of(kind: str, names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(sorted(names)[:NAMED])
    if len(names) == 1:
        return [f"{kind} {shown}"]
    return [f"one of {len(names)} {kind}s: {shown}{', ...' if len(names) > NAMED else ''}"]
