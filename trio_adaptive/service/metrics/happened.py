"""Metrics of what has happened: decisions, launches, drains, losses, and how long things took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from trio_adaptive.journal.tally import TallySummary
from trio_adaptive.service.metrics.metric import Histogram, Metric, Values, one
from trio_adaptive.service.metrics.snapshot import Snapshot

Name = TypeVar("Name", bound=str)


def _by_name(counts: Mapping[Name, int], *at_least: Name) -> Values:
    """All counts; those that are known before they happen begin at 0, so that their first increase shows."""
    for name in sorted({*at_least, *counts}):
        yield (name,), counts.get(name, 0)


def _decisions(now: Snapshot) -> Values:
    return (((reason, to), number) for (reason, to), number in sorted(now.tally.decisions.items()))


def _looks(now: Snapshot) -> Values:
    yield ("answered",), now.statistics.samples
    yield ("failed",), now.statistics.samples_failed


def _launches(tally: TallySummary) -> Values:
    return _by_name(tally.launches, "registered", "failed", "timed out", "taken back")


def _drains(tally: TallySummary) -> Values:
    return _by_name(tally.drains, "done", "forced", "recalled", "refused", "timed out", "failed")


HAPPENED: Final = (
    Metric("counter", "looks_total", "Looks at the cluster and its load.", ("result",), _looks),
    Metric(
        "counter",
        "decisions_total",
        "Decisions, by the limiter that had the last word (load: none) and by what was done.",
        ("reason", "direction"),
        _decisions,
    ),
    Metric(
        "counter",
        "launches_total",
        "Units whose launch has come to its end.",
        ("outcome",),
        lambda now: _launches(now.tally),
    ),
    Metric(
        "counter",
        "drains_total",
        "Units whose drain has come to its end.",
        ("result",),
        lambda now: _drains(now.tally),
    ),
    Metric(
        "counter",
        "commands_total",
        "Commands of users, of the calendar, and to stop.",
        ("command",),
        lambda now: _by_name(now.tally.commands),
    ),
    Metric(
        "counter",
        "call_failures_total",
        "Calls to the cluster or its scheduler that failed or were not answered in time.",
        ("call",),
        lambda now: _by_name(now.tally.call_failures, "look", "launch", "cancel", "suggest"),
    ),
    Metric(
        "counter",
        "lost_units_total",
        "Units that ended unasked after they had registered.",
        (),
        lambda now: one(now.tally.units_lost),
    ),
    Metric(
        "counter",
        "lost_tasks_total",
        "Executions cut off by a drain that was ended at its deadline.",
        (),
        lambda now: one(now.tally.tasks_lost),
    ),
    Metric(
        "counter",
        "lost_task_seconds_total",
        "For how long those executions had been running.",
        (),
        lambda now: one(now.tally.task_seconds_lost),
    ),
    Metric(
        "counter",
        "lost_result_bytes_total",
        "Results that went with a drain that was ended at its deadline.",
        (),
        lambda now: one(now.tally.bytes_lost),
    ),
)

DURATIONS: Final = (
    Histogram(
        "startup_seconds",
        "From the launch of a unit to its registration.",
        (),
        lambda now: (((), now.tally.startup),),
    ),
    Histogram(
        "drain_seconds",
        "From the beginning of a drain to the end of its unit, where it ended.",
        (),
        lambda now: (((), now.tally.drain),),
    ),
    Histogram(
        "call_seconds",
        "How long calls to the cluster and its scheduler took.",
        ("call",),
        lambda now: (((name,), each) for name, each in sorted(now.tally.calls.items())),
    ),
    Histogram(
        "look_lateness_seconds",
        "How much later than due the regular looks began: the lateness of the event loop.",
        (),
        lambda now: (((), now.tally.lateness),),
    ),
    Histogram(
        "decision_delay_seconds",
        "From an event to the decision on it.",
        (),
        lambda now: (((), now.tally.delay),),
    ),
)
