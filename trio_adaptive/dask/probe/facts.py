"""What is read of one worker or task prefix, in plain numbers and text. Nothing here keeps or changes anything."""

from __future__ import annotations

import asyncio
from typing import Any

ROW = (
    "name",
    "address",
    "nthreads",
    "status",
    "executing",
    "processing",
    "long_running",
    "actors",
    "idle",
    "stored",
    "managed",
    "spilled",
    "process",
    "memory_limit",
    "resources",
)
"""The columns of a worker's row: ten thousand rows without their names are half as much to send.

executing is as of the worker's last heartbeat, as are spilled and process; idle is in seconds, None with tasks; stored,
managed, spilled, process and memory_limit are bytes: of all results, of those in memory, of those on disk, of the whole
process, and what it may use (0: no limit).
"""

SHARED_SCANNED = 5_000
"""So many keys with several replicas are gone through for one answer, a few ms; with more, sharing is not counted."""

SAMPLED = 100
"""Tasks of which the durations are looked up, as `Scheduler.adaptive_target` does; the others are taken to be alike."""


def duration(scheduler: Any, prefix: Any) -> float:
    """Estimated seconds of one task of this prefix, as the scheduler estimates it (`Scheduler._get_prefix_duration`)."""
    average: float = prefix.duration_average
    if average >= 0:
        return average
    longest: float = prefix.max_exec_time
    return 2 * longest if longest > 0 else float(scheduler.UNKNOWN_TASK_DURATION)


def row(ws: Any, idle: float | None) -> tuple[Any, ...]:
    """One worker, as `ROW` has it."""
    metrics = ws.metrics
    counts = metrics.get("task_counts") or metrics  # since 2023; until then executing stood alone
    spilled = metrics.get("spilled_bytes") or {}
    executing = counts.get("executing", 0) + counts.get("long-running", 0)
    stored = ws.nbytes
    return (
        str(ws.name),
        ws.address,
        ws.nthreads,
        ws.status._name_,
        executing,
        len(ws.processing),
        len(ws.long_running),
        len(ws.actors),
        idle,
        stored,
        max(0, stored - spilled.get("memory", 0)),
        spilled.get("disk", 0),
        metrics.get("memory", 0),
        ws.memory_limit,
        ws.resources,
    )


def shared_bytes(scheduler: Any) -> dict[str, int]:
    """Bytes of each worker's results that another one has as well, by address; nothing where they are too many.

    Then all that a worker stores counts as its own: more than would have to be moved, never less.
    """
    shared: dict[str, int] = {}
    if len(scheduler.replicated_tasks) > SHARED_SCANNED:
        return shared
    for ts in scheduler.replicated_tasks:
        nbytes = ts.get_nbytes()
        for ws in ts.who_has or ():
            shared[ws.address] = shared.get(ws.address, 0) + nbytes
    return shared


def under_way(name: str) -> list[Any]:
    """The coroutines of this qualified name that wait on this loop now: handlers that were called before we came.

    Each is over when it has no ``cr_frame`` any more.
    """
    found: list[Any] = []
    for task in asyncio.all_tasks():
        inner: Any = task.get_coro()
        while inner is not None and getattr(inner, "__qualname__", "") != name:
            inner = getattr(inner, "cr_await", None)
        if inner is not None:
            found.append(inner)
    return found
