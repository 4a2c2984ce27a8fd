"""Metrics of the workers that there are, the work that there is for them, and what they cost."""

from __future__ import annotations

from typing import Final

from trio_adaptive.service.metrics.metric import Metric, Values, one
from trio_adaptive.service.metrics.snapshot import Snapshot


def _workers(now: Snapshot) -> Values:
    counts, size = now.statistics.counts, now.unit_size
    serving = counts.observed - counts.draining
    busy = min(counts.busy, serving)
    yield ("planned",), (counts.plan - counts.requested) * size
    yield ("starting",), (counts.requested - counts.observed) * size
    yield ("busy",), busy * size
    yield ("idle",), (serving - busy) * size
    yield ("draining",), counts.draining * size


def _tasks(now: Snapshot) -> Values:
    work = None if now.sample is None else now.sample.load.work
    if work is not None:
        yield ("processing",), work.processing
        yield ("queued",), work.queued
        yield ("no-worker",), work.waiting


def _work(now: Snapshot) -> Values:
    work = None if now.sample is None else now.sample.load.work
    return () if work is None else one(work.seconds)


def _memory(now: Snapshot, which: str) -> Values:
    memory = None if now.sample is None else now.sample.load.memory
    return () if memory is None else one(getattr(memory, which))


def _cost(now: Snapshot) -> Values:
    cost = now.cost
    for use in ("starting", "busy", "idle", "leaving"):
        yield (use,), getattr(cost, use)


SIZES: Final = (
    Metric("gauge", "workers", "Workers that are planned or there, each in one state.", ("state",), _workers),
    Metric(
        "gauge",
        "unit_workers",
        "Workers in a unit, which starts and stops as one.",
        (),
        lambda now: one(now.unit_size),
    ),
    Metric(
        "gauge",
        "tasks",
        "Tasks ready to run: with a worker, waiting for any worker, waiting for one that does not exist.",
        ("state",),
        _tasks,
    ),
    Metric("gauge", "work_seconds", "Estimated work in all tasks that are ready to run.", (), _work),
    Metric(
        "gauge",
        "blocked_task_kinds",
        "Kinds of ready tasks that no present or new worker can run.",
        (),
        lambda now: one(len(now.statistics.blocked)),
    ),
    Metric(
        "gauge", "memory_used_bytes", "Results that the workers keep.", (), lambda now: _memory(now, "used")
    ),
    Metric(
        "gauge",
        "memory_limit_bytes",
        "Memory that the workers may use.",
        (),
        lambda now: _memory(now, "limit"),
    ),
    Metric("counter", "worker_seconds_total", "Worker-seconds paid, by what they went for.", ("use",), _cost),
    Metric(
        "counter",
        "units_started_total",
        "Units that have come since adapting began.",
        (),
        lambda now: one(now.cost.starts),
    ),
    Metric(
        "counter",
        "units_stopped_total",
        "Units that have gone, for whatever reason.",
        (),
        lambda now: one(now.cost.stops),
    ),
)
