"""Metrics of the size that is aimed at: the load's wish, each limiter, the bounds, and what a user has said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trio_adaptive.decision.limiters import LIMITERS
from trio_adaptive.decision.model import Decision
from trio_adaptive.service.metrics.metric import Metric, Values, one
from trio_adaptive.service.metrics.snapshot import Snapshot


def _units(now: Snapshot, number: int | None) -> Values:
    return () if number is None else one(number * now.unit_size)


def passages(decision: Decision) -> Iterator[tuple[str, int, int]]:
    """The size before and after each limiter, in the order of the chain; those that changed nothing included.

    A limiter that comes twice has " again" in its name the second time.
    """
    size, reasons = decision.raw, list(decision.reasons)
    met: set[str] = set()
    for name in LIMITERS:
        before = size
        if reasons and reasons[0].limiter == name:
            size = reasons.pop(0).after
        yield f"{name} again" if name in met else name, before, size
        met.add(name)


def _before(now: Snapshot) -> Values:
    for name, before, _ in () if now.decision is None else passages(now.decision):
        yield (name,), before * now.unit_size


def _after(now: Snapshot) -> Values:
    for name, _, after in () if now.decision is None else passages(now.decision):
        yield (name,), after * now.unit_size


def _paused(now: Snapshot) -> Values:
    for direction in ("growing", "shrinking"):
        yield (direction,), direction in now.statistics.paused


def _hold(now: Snapshot) -> Values:
    hold = now.statistics.hold
    return () if hold is None else one(hold.n)


def _floor(now: Snapshot) -> Values:
    floor = now.statistics.floor
    return () if floor is None else one(floor.n)


def _budget(now: Snapshot) -> Values:
    budget = now.statistics.budget
    return () if budget is None or not budget.hours else one(budget.used / budget.hours)


def _burn_rate(now: Snapshot) -> Values:
    budget = now.statistics.budget
    return () if budget is None else one(budget.burn_rate)


LIMITS: Final = (
    Metric(
        "gauge",
        "wanted_workers",
        "Workers that the load asks for, before every limiter.",
        (),
        lambda now: _units(now, now.statistics.wanted),
    ),
    Metric(
        "gauge",
        "target_workers",
        "Workers aimed at, after every limiter.",
        (),
        lambda now: _units(now, now.statistics.target),
    ),
    Metric(
        "gauge",
        "limiter_before_workers",
        "Workers aimed at before a limiter, at the latest look.",
        ("limiter",),
        _before,
    ),
    Metric(
        "gauge",
        "limiter_after_workers",
        "Workers aimed at after a limiter, at the latest look.",
        ("limiter",),
        _after,
    ),
    Metric("gauge", "minimum_workers", "The bound below.", (), lambda now: one(now.statistics.minimum)),
    Metric(
        "gauge",
        "maximum_workers",
        "The bound above; +Inf where there is none.",
        (),
        lambda now: one(now.statistics.maximum),
    ),
    Metric("gauge", "paused", "Whether growing and shrinking are paused.", ("direction",), _paused),
    Metric("gauge", "held_workers", "The size that a user holds; absent where none is held.", (), _hold),
    Metric(
        "gauge",
        "requested_workers",
        "The highest floor that has been requested and has not expired; absent where there is none.",
        (),
        _floor,
    ),
    Metric(
        "gauge",
        "budget_used_ratio",
        "Share of the budget used in the latest period; absent without a budget.",
        (),
        _budget,
    ),
    Metric(
        "gauge",
        "budget_burn_rate",
        "How fast the budget is being used; 1 uses up exactly all of it in a period.",
        (),
        _burn_rate,
    ),
)
