"""The tasks by kind, Dask's prefix: how many there are, how long they take, and what they wait for."""

from __future__ import annotations

from typing import Any

TOLD = 32
"""Of so many executions of a kind it is told for how long they have run, the longest."""

LISTED = 200
"""So many kinds are told of, those with the most tasks."""

OPEN = ("queued", "no-worker", "processing", "waiting")
"""The states of a task that is not done."""


def kinds(scheduler: Any) -> list[dict[str, Any]]:
    """The kinds of which some tasks are not done, for `decision.model.TaskGroup`.

    Takes as long with a million tasks as with none: it goes through the prefixes, and what the workers execute.
    """
    found: list[tuple[int, Any, Any]] = []
    for prefix in scheduler.task_prefixes.values():
        states = prefix.states
        tasks = sum([states.get(state, 0) for state in OPEN])
        if tasks:
            found.append((tasks, prefix, states))
    if len(found) > LISTED:
        found = sorted(found, key=lambda each: -each[0])[:LISTED]
    elapsed = _elapsed(scheduler)
    return [_told(prefix, states, elapsed.get(prefix.name, ())) for _, prefix, states in found]


def measured(scheduler: Any) -> tuple[int, float]:
    """How many executions have been measured so far, and how long they took, all together."""
    prefixes = scheduler.task_prefixes.values()
    count = sum([prefix.state_counts["memory"] for prefix in prefixes])
    return count, sum([prefix.all_durations.get("compute", 0.0) for prefix in prefixes])


def _elapsed(scheduler: Any) -> dict[str, list[float]]:
    """For how long each execution has run as of its worker's last heartbeat, by prefix, the longest first."""
    found: dict[str, list[float]] = {}
    for ws in dict.values(scheduler.workers):
        for ts, seconds in ws.executing.items():
            found.setdefault(ts.prefix.name, []).append(seconds)
    return {name: sorted(times, reverse=True) for name, times in found.items()}


def _told(prefix: Any, states: Any, elapsed: Any) -> dict[str, Any]:
    count = prefix.state_counts["memory"]
    total = prefix.all_durations.get("compute", 0.0)
    coming = states.get("waiting", 0)
    known = total > 0
    # Rounded: to more digits nothing of it is known, and all of them would be written down at each look.
    return {
        "name": prefix.name,
        "ready": states.get("queued", 0) + states.get("no-worker", 0),
        "running": states.get("processing", 0),
        "coming": coming,
        "after": _after(prefix) if coming else [],
        "measured": count if known else 0,
        "mean": round(total / count, 6) if known and count else 0.0,
        "average": round(prefix.duration_average, 6),
        "longest": round(max(prefix.max_exec_time, 0.0), 3),
        "elapsed": [round(seconds, 3) for seconds in elapsed[:TOLD]],
    }


def _after(prefix: Any) -> list[str]:
    names = {
        before.prefix.name: None
        for group in prefix.groups
        if group.states.get("waiting")
        for before in group.dependencies
        if before.prefix is not None
    }
    return [name for name in names if name != prefix.name]
