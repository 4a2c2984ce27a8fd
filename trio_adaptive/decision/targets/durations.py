"""How long tasks take: means by kind that count what is still running, and what is remembered of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Final

from attrs import frozen

from trio_adaptive.decision.model import TaskGroup

UNKNOWN: Final = 0.5
"""Seconds of a task of which nothing is known: Dask's ``unknown-task-duration``."""

TRUSTED: Final = 4
"""A remembered mean counts as so many measurements at most: what is measured now soon counts for more."""


@frozen
class Kind:
    """What is known of one kind of tasks, and how many there are.

    Attributes:
        group: as it was told.
        duration: estimated seconds of one.
        known: whether anything of it has ever been measured, or has run for a while.
    """

    group: TaskGroup
    duration: float
    known: bool


@frozen
class Remembered:
    """The mean of a kind in earlier runs.

    Attributes:
        mean: in seconds.
        count: over how many executions.
    """

    mean: float
    count: int


def kinds(groups: tuple[TaskGroup, ...], remembered: Mapping[str, Remembered]) -> list[Kind]:
    """Estimates for all groups.

    The mean over what has been measured and what is remembered; executions that have already taken longer than that
    count as measured at what they have taken so far (censored observations, which can only raise the mean).
    Without any measurement, the longest elapsed time: that much it takes at least. A kind of which nothing is known at
    all takes as long as the others do in the mean, or `UNKNOWN`.
    """
    estimates = [_estimate(group, remembered.get(group.name)) for group in groups]
    known = [estimate for estimate in estimates if estimate is not None]
    usual = sum(known) / len(known) if known else UNKNOWN
    return [
        Kind(group, usual if estimate is None else estimate, estimate is not None)
        for group, estimate in zip(groups, estimates, strict=True)
    ]


def _estimate(group: TaskGroup, before: Remembered | None) -> float | None:
    count, total = group.measured, group.measured * group.mean
    if before is not None:
        trusted = min(before.count, TRUSTED)
        count, total = count + trusted, total + trusted * before.mean
    if not count:
        longest = group.elapsed[0] if group.elapsed else 0.0
        return longest if longest > 0 else None
    mean = total / count
    late = list(takewhile(lambda elapsed: elapsed > mean, group.elapsed))  # the longest first
    return (total + sum(late)) / (count + len(late)) if late else mean
