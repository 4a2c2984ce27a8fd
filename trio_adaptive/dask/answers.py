"""What a scheduler answers, as values of ours: the stock handlers' answers and the probe's.

The probe's answers carry the names of the values' fields, see `trio_adaptive.dask.probe.load`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import field, fields, frozen

from trio_adaptive.decision.model import Candidate, Memory, TaskClass, TaskGroup, Work, WorkerName


@frozen
class WorkerInfo:
    """One registered worker.

    Attributes:
        name: its name, as text.
        address: where it listens.
        nthreads: tasks it can run at once.
        status: Dask's word: running, paused, closing_gracefully...
        executing: tasks that it was executing at its last heartbeat.
        stored: bytes of results that it keeps, in memory and on disk; without the probe, those at its last heartbeat.
        memory_limit: bytes that it may use; 0 for no limit.
        idle: seconds for which it has had no task; None while it has one, or without the probe.
        resources: what it has of each resource.
    """

    name: WorkerName
    address: str
    nthreads: int
    status: str
    executing: int
    stored: int = 0
    memory_limit: int = 0
    idle: float | None = None
    resources: Mapping[str, float] = field(factory=dict[str, float])


Roster = Mapping[WorkerName, WorkerInfo]


def roster_of_identity(answer: Mapping[str, Any]) -> Roster:
    """The workers in an answer of ``identity``."""
    infos = (_from_identity(address, info) for address, info in answer["workers"].items())
    return {info.name: info for info in infos}


def roster_of_rows(answer: Mapping[str, Any]) -> Roster:
    """The workers in the probe's answer with rows."""
    told = {name: place for place, name in enumerate(answer["columns"])}
    places = [told[name] for name in _FIELDS]
    return {
        WorkerName(row[places[0]]): WorkerInfo(*[row[place] for place in places]) for row in answer["rows"]
    }


_FIELDS = tuple(each.name for each in fields(WorkerInfo))


def _from_identity(address: str, info: Mapping[str, Any]) -> WorkerInfo:
    # The shape of the metrics has changed over the releases: task_counts from 2023 on, executing before.
    metrics: Mapping[str, Any] = info.get("metrics") or {}
    tasks: Mapping[str, Any] = metrics.get("task_counts") or {}
    executing = int(tasks.get("executing", metrics.get("executing", 0))) + int(tasks.get("long-running", 0))
    return WorkerInfo(
        WorkerName(str(info["name"])),
        address,
        int(info["nthreads"]),
        str(info.get("status", "running")),
        executing,
        int(metrics.get("managed_bytes", 0)),
        int(info.get("memory_limit") or 0),
        resources=info.get("resources") or {},
    )


def memory_of(workers: Collection[WorkerInfo]) -> Memory:
    """The memory of these workers together."""
    threads, used = sum(w.nthreads for w in workers), sum(w.stored for w in workers)
    return Memory(len(workers), threads, used, sum(w.memory_limit for w in workers))


def work_of(answer: Mapping[str, Any]) -> Work:
    """The load, as the probe tells it."""
    classes = tuple(TaskClass(**each) for each in answer["classes"])
    groups = tuple(_group_of(each) for each in answer["groups"])
    counts = {name: answer[name] for name in _WORK if name not in {"classes", "groups"}}
    return Work(**counts, classes=classes, groups=groups)


_WORK = tuple(each.name for each in fields(Work))


def _group_of(told: Mapping[str, Any]) -> TaskGroup:
    # Lists come as tuples or as lists, as the wire has it.
    lists: dict[str, Any] = {"after": tuple(told["after"]), "elapsed": tuple(told["elapsed"])}
    return TaskGroup(**(dict(told) | lists))


def candidates_of(answer: Iterable[Mapping[str, Any]]) -> Sequence[Candidate]:
    """Who might leave, as the probe tells it."""
    return [Candidate(**each) for each in answer]
