"""What the estimated cluster looks like: a sample as if it were the real one."""

from __future__ import annotations

import math

from attrs import evolve

from trio_adaptive.decision.model import Load, Sample, TaskClass, TaskGroup, Unit, Work, WorkerName
from trio_adaptive.decision.shadows.echo import Echo, EchoUnit
from trio_adaptive.decision.shadows.fluid import tasks_of, whole
from trio_adaptive.decision.targets.durations import UNKNOWN
from trio_adaptive.decision.targets.work import load_of


def look(echo: Echo, sample: Sample, target_duration: float) -> Sample:
    """The sample of the estimated cluster, at the time of this real one."""
    work = sample.load.work
    load = sample.load if work is None else _load(echo, sample.load, work, target_duration)
    units = tuple([_unit(unit, echo) for unit in echo.units])
    return Sample(sample.at, sample.at, sample.cause, units, load, echo.size)


def _load(echo: Echo, real: Load, work: Work, target_duration: float) -> Load:
    there = would_be(echo, work)
    return evolve(load_of(there, target_duration, real.offers), memory=real.memory, degraded=real.degraded)


def would_be(echo: Echo, work: Work) -> Work:
    """The work as it would be there. What is stored is the same; all else that grows with the workers, or the tasks, does."""
    workers = echo.registered
    threads = whole(echo.threads)
    groups = _groups(echo, work, threads)
    tasks = sum([group.ready + group.running for group in groups])
    processing = min(tasks, threads)
    limit = work.memory_limit * workers // work.workers if work.workers else work.memory_limit
    return evolve(
        work,
        workers=workers,
        busy=at_work(echo),
        threads=threads,
        processing=processing,
        queued=tasks - processing,
        waiting=0,
        seconds=_seconds(work, groups),
        memory_limit=limit,
        classes=tuple([_class(each, work, workers, tasks) for each in work.classes]),
        groups=groups if work.groups else (),
    )


def at_work(echo: Echo) -> int:
    """How many of the workers that have come have a task."""
    running = min(whole(echo.tasks), whole(echo.threads))
    return (
        min(echo.registered, math.ceil(running / echo.per)) if echo.per > 1 else min(echo.registered, running)
    )


def _groups(echo: Echo, work: Work, threads: int) -> tuple[TaskGroup, ...]:
    told = tasks_of(work)
    names = {group.name for group in told}
    # What is done in fact and not here is told as well, as far as is known of it.
    more = [
        TaskGroup(name, measured=kind.ended, mean=kind.mean, average=kind.mean or -1.0, longest=kind.mean)
        for name, kind in echo.kinds.items()
        if name not in names and whole(kind.there)
    ]
    free = threads
    groups: list[TaskGroup] = []
    for group in (*told, *more):
        tasks = whole(echo.kinds[group.name].there)
        running = min(tasks, free)
        free -= running
        if tasks or group.coming:
            elapsed = group.elapsed[:running]
            groups.append(evolve(group, ready=tasks - running, running=running, elapsed=elapsed))
    return tuple(groups)


def _seconds(work: Work, groups: tuple[TaskGroup, ...]) -> float:
    """The scheduler's estimate, in the proportion of the tasks."""
    there = sum([(g.ready + g.running) * _estimate(g) for g in groups])
    in_fact = sum([(g.ready + g.running) * _estimate(g) for g in tasks_of(work)])
    return work.seconds * there / in_fact if in_fact else there


def _estimate(group: TaskGroup) -> float:
    if group.average >= 0:
        return group.average
    return 2 * group.longest if group.longest > 0 else UNKNOWN


def _class(told: TaskClass, work: Work, workers: int, tasks: int) -> TaskClass:
    by_tasks = tasks / max(1, work.queued + work.waiting + work.processing)
    by_workers = workers / max(1, work.workers)
    return evolve(
        told,
        capable=math.ceil(told.capable * by_workers),
        waiting=whole(told.waiting * by_tasks),
        processing=whole(told.processing * by_tasks),
        busy=min(workers, whole(told.busy * by_tasks)),
        seconds=told.seconds * by_tasks,
    )


def _unit(unit: EchoUnit, echo: Echo) -> Unit:
    names = (
        (WorkerName(unit.id),)
        if echo.size == 1
        else tuple(WorkerName(f"{unit.id}.{i}") for i in range(echo.size))
    )
    if not unit.registered:
        return Unit(unit.id, "requested", names, echo.size)
    idle = None if unit.idle is None else echo.at - unit.idle
    return Unit(unit.id, "registered", names, echo.size, executing=int(idle is None), idle=idle)
