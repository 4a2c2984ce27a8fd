"""How a metric is declared: its name and help once, and a function from a snapshot to its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from attrs import frozen

from trio_adaptive.journal.tally import Distribution
from trio_adaptive.service.metrics.snapshot import Snapshot

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = Iterable[tuple[Labels, float]]
Spreads: TypeAlias = Iterable[tuple[Labels, Distribution]]


@frozen
class Metric:
    """A gauge or a counter.

    Attributes:
        kind: which of the two.
        name: without the prefix; a counter's ends in ``_total``, and units are base units.
        help: one sentence.
        labels: the names of its labels, after ``cluster``.
        values: its values with those labels; none where there is nothing to tell.
    """

    kind: Literal["gauge", "counter"]
    name: str
    help: str
    labels: Labels
    values: Callable[[Snapshot], Values]


@frozen
class Histogram:
    """A distribution of durations; the attributes are those of `Metric`."""

    name: str
    help: str
    labels: Labels
    values: Callable[[Snapshot], Spreads]


def one(value: float | None) -> Values:
    """A value without labels of its own, where there is one."""
    return () if value is None else (((), float(value)),)


def which(now: str | None, *all_of_them: str) -> Values:
    """1 for the state that is, 0 for the others that could be."""
    return (((each,), float(each == now)) for each in all_of_them)
