"""What a run has cost, and what for: a fold over the samples.

Only arithmetic lives here: no clock, no files, no cluster. Times are seconds on the runtime's monotonic clock,
amounts are worker-seconds. One sample costs a walk over its units, and memory does not grow with the run.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from trio_adaptive.decision.model import Sample, Unit, UnitId

Use: TypeAlias = Literal["starting", "busy", "idle", "leaving"]
"""What a paid worker is doing."""


@frozen
class Point:
    """The paid workers at one moment, by use; they stay so until the next point."""

    at: float
    starting: int = 0
    busy: int = 0
    idle: int = 0
    leaving: int = 0

    @property
    def registered(self) -> int:
        """Workers in service with the scheduler."""
        return self.busy + self.idle

    @property
    def paid(self) -> int:
        """All workers that cost something."""
        return self.starting + self.busy + self.idle + self.leaving


@frozen
class LedgerSummary:
    """The cost of a run up to its last sample, or up to its end once the ledger was closed.

    Attributes:
        began: time of the first sample.
        ended: time up to which everything is counted.
        starting: worker-seconds between the request and the registration.
        busy: worker-seconds with work, approximate: see `Ledger`.
        idle: worker-seconds in service without work.
        leaving: worker-seconds on the way out.
        peak: the most workers that were paid at once.
        found: units that the first sample showed already.
        starts: units that came later.
        stops: units that went, for whatever reason: given back, failed or lost.
        series: the paid workers over time, for a chart; bounded, see `Ledger`.
    """

    began: float = 0.0
    ended: float = 0.0
    starting: float = 0.0
    busy: float = 0.0
    idle: float = 0.0
    leaving: float = 0.0
    peak: int = 0
    found: int = 0
    starts: int = 0
    stops: int = 0
    series: tuple[Point, ...] = ()

    @property
    def duration(self) -> float:
        return self.ended - self.began

    @property
    def paid(self) -> float:
        """Worker-seconds in all."""
        return self.starting + self.busy + self.idle + self.leaving

    @property
    def fixed(self) -> float:
        """Worker-seconds of a cluster that had had the peak size all the time."""
        return self.peak * self.duration

    @property
    def saving(self) -> float:
        """The share of `fixed` that was not paid, between 0 and 1."""
        # The parts are rounded one by one, so that a cluster of constant size could save -1e-16.
        return max(0.0, 1 - self.paid / self.fixed) if self.fixed else 0.0


PaidFor: TypeAlias = Literal["starting", "registered", "leaving"]


def paid_for(unit: Unit) -> PaidFor | None:
    """What this unit is paid for, or None where it is not: not yet asked for, failed or lost."""
    match unit.state:
        case "requested":
            return "starting"
        case "registered" | "leaving":
            return unit.state
        case _:
            return None


class Ledger:
    """Adds up what the workers of one run cost.

    A unit is paid, all its workers together, from the first sample that shows it requested, registered or
    leaving until the first that does not; also a unit that is not ours, since somebody pays for it. The time
    between two samples counts as what the first of them showed. That makes *busy* approximate: a task that ends is
    seen at the next sample only, and see `Sample.busy`. A sample older than the last one is left out.

    Args:
        max_points: bound on the length of the series. Beyond it points are dropped, never altered, and from
            each stretch of time the largest and the last one are kept.
    """

    def __init__(self, *, max_points: int = 2000) -> None:
        self._max_points = max(8, max_points)
        self._units: frozenset[UnitId] = frozenset()
        self._summary: LedgerSummary | None = None
        self._series: list[Point] = []

    @property
    def summary(self) -> LedgerSummary:
        """Everything so far; all zero before the first sample."""
        return evolve(self._summary or LedgerSummary(), series=tuple(self._series))

    def add(self, sample: Sample) -> None:
        """Count the time since the last sample, and see who is paid from now on."""
        before = self._summary or LedgerSummary(began=sample.at, ended=sample.at)
        if sample.at < before.ended:
            return
        paid = frozenset(unit.id for unit in sample.units if paid_for(unit))
        workers = _workers(sample)
        came, went = len(paid - self._units), len(self._units - paid)
        first = self._summary is None
        self._summary = evolve(
            self._paid_until(before, sample.at),
            peak=max(before.peak, workers.paid),
            found=before.found + (came if first else 0),
            starts=before.starts + (0 if first else came),
            stops=before.stops + went,
        )
        self._units = paid
        self._draw(workers)

    def close(self, at: float) -> None:
        """Count the time up to ``at``, the end of the run. Units that are still there do not count as stopped."""
        if self._summary is not None and at > self._summary.ended:
            self._summary = self._paid_until(self._summary, at)

    def _paid_until(self, before: LedgerSummary, at: float) -> LedgerSummary:
        if not self._series:
            return before
        elapsed, now = at - before.ended, self._series[-1]
        return evolve(
            before,
            ended=at,
            starting=before.starting + elapsed * now.starting,
            busy=before.busy + elapsed * now.busy,
            idle=before.idle + elapsed * now.idle,
            leaving=before.leaving + elapsed * now.leaving,
        )

    def _draw(self, now: Point) -> None:
        """Store a change; a second look at the same time replaces the first, which lasted no time."""
        if self._series and self._series[-1].at == now.at:
            self._series.pop()
        if not self._series or evolve(self._series[-1], at=now.at) != now:
            self._series.append(now)
        if len(self._series) > self._max_points:
            self._series = _thin(self._series, self._max_points // 4)


def _workers(sample: Sample) -> Point:
    workers: Counter[PaidFor] = Counter()
    for unit in sample.units:
        if use := paid_for(unit):
            workers[use] += unit.size
    registered = workers["registered"]
    busy = min(sample.busy, registered)
    return Point(sample.at, workers["starting"], busy, registered - busy, workers["leaving"])


def _thin(series: list[Point], stretches: int) -> list[Point]:
    """Keep two points of each of so many equal stretches of time.

    The largest keeps the peaks visible; the last keeps the long quiet times between them right, where dropping
    every other point could stretch the end of a burst over a pause of an hour.
    """
    began, span = series[0].at, series[-1].at - series[0].at
    kept: list[Point] = []
    for _, group in groupby(series, key=lambda point: int((point.at - began) / span * stretches)):
        points = list(group)
        largest = max(points, key=lambda point: point.paid)
        kept += [largest] if largest is points[-1] else [largest, points[-1]]
    return kept
