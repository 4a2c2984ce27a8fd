"""Metrics of the policies that only advise: what they would have had, and what that would have cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trio_adaptive.decision.model import Shadowed
from trio_adaptive.service.metrics.metric import Metric, Values
from trio_adaptive.service.metrics.snapshot import Snapshot


def _of_each(value: Callable[[Snapshot, Shadowed], float | None]) -> Callable[[Snapshot], Values]:
    def values(now: Snapshot) -> Values:
        for shadow in now.statistics.shadows:
            if not shadow.error and (number := value(now, shadow)) is not None:
                yield (shadow.name,), number

    return values


def _target(now: Snapshot, shadow: Shadowed) -> float | None:
    return None if shadow.target is None else shadow.target * now.unit_size


SHADOWS: Final = (
    Metric(
        "gauge",
        "shadow_target_workers",
        "Workers that a policy which only advises aims at.",
        ("policy",),
        _of_each(_target),
    ),
    Metric(
        "gauge",
        "shadow_workers",
        "Workers that it would have, those that start included.",
        ("policy",),
        _of_each(lambda now, shadow: shadow.size * now.unit_size),
    ),
    Metric(
        "gauge",
        "shadow_extra_worker_seconds",
        "Worker-seconds that it would have cost more than in fact, so far; negative where less.",
        ("policy",),
        _of_each(lambda _, shadow: shadow.cost),
    ),
    Metric(
        "gauge",
        "shadow_extra_waiting_seconds",
        "Seconds that tasks would have waited longer than in fact; negative where less.",
        ("policy",),
        _of_each(lambda _, shadow: shadow.waiting),
    ),
)
