"""How often things have happened in one run, and how long they took: a fold over its events and records.

The latest records are bounded in number, so that counting them would miss some. Here each is counted once, and memory does
not grow with the run. Only arithmetic lives here: no clock, no files, no cluster. Times are seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from attrs import Factory, define, field, frozen

from trio_adaptive.decision.model import (
    Cancel,
    Decision,
    Drain,
    Event,
    Finished,
    Launch,
    Outcome,
    Recall,
    Record,
    Result,
    Sample,
    Sampled,
    SampleFailed,
    Suggest,
    Suggested,
    UnitId,
)
from trio_adaptive.decision.state import State

Bounds: TypeAlias = tuple[float, ...]

LATENESS: Final[Bounds] = (0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
CALLS: Final[Bounds] = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
STARTUPS: Final[Bounds] = (0.1, 0.5, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
DRAINS: Final[Bounds] = (0.05, 0.2, 1.0, 5.0, 30.0, 120.0, 600.0)
"""Upper bounds of the classes in seconds. Few, since a service may have a thousand clusters."""

Direction: TypeAlias = Literal["grow", "shrink", "stay"]
LaunchEnd: TypeAlias = Literal["registered", "failed", "timed out", "taken back"]
CallName: TypeAlias = Literal["look", "suggest", "launch", "cancel"]


@frozen
class Distribution:
    """How many values there were up to each bound, as Prometheus's histograms have it.

    Attributes:
        bounds: the upper bounds, each inclusive.
        counts: the values between a bound and the one before; the last is for those above all bounds.
        total: the sum of the values.
    """

    bounds: Bounds
    counts: tuple[int, ...]
    total: float


@define
class _Growing:
    """A distribution that values are added to."""

    bounds: Bounds
    counts: list[int] = field(default=Factory(lambda self: [0] * (len(self.bounds) + 1), takes_self=True))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def frozen(self) -> Distribution:
        return Distribution(self.bounds, tuple(self.counts), self.total)


@frozen
class TallySummary:
    """What has happened so far.

    Attributes:
        decisions: by the limiter that had the last word ("load" where none changed anything) and by what was done.
        launches: units by how their launch ended.
        drains: drains by their result.
        commands: by the name of the command's class.
        call_failures: calls without an answer, or with an error.
        units_lost: units that ended unasked after they had registered.
        tasks_lost: executions that were cut off at a forced end.
        task_seconds_lost: how long those had been running.
        bytes_lost: results that went with a forced end.
        startup: from launch to registered.
        drain: from the beginning of a drain to the unit's end, where it ended.
        calls: how long calls to the cluster and its scheduler took.
        lateness: how much later than due the regular looks began.
        delay: from an event to the decision on it.
    """

    decisions: Mapping[tuple[str, Direction], int]
    launches: Mapping[LaunchEnd, int]
    drains: Mapping[Result, int]
    commands: Mapping[str, int]
    call_failures: Mapping[CallName, int]
    units_lost: int
    tasks_lost: int
    task_seconds_lost: float
    bytes_lost: int
    startup: Distribution
    drain: Distribution
    calls: Mapping[CallName, Distribution]
    lateness: Distribution
    delay: Distribution


class Tally:
    """Counts what happens in one run."""

    def __init__(self) -> None:
        self._decisions: Counter[tuple[str, Direction]] = Counter()
        self._launches: Counter[LaunchEnd] = Counter()
        self._drains: Counter[Result] = Counter()
        self._commands: Counter[str] = Counter()
        self._call_failures: Counter[CallName] = Counter()
        self._units_lost = 0
        self._tasks_lost = 0
        self._task_seconds_lost = 0.0
        self._bytes_lost = 0
        self._startup = _Growing(STARTUPS)
        self._drain = _Growing(DRAINS)
        self._calls: dict[CallName, _Growing] = {}
        self._lateness = _Growing(LATENESS)
        self._delay = _Growing(LATENESS)
        self._asked: tuple[int, float] | None = None

    @property
    def summary(self) -> TallySummary:
        """Everything so far, as a value that stays as it is."""
        return TallySummary(
            decisions=dict(self._decisions),
            launches=dict(self._launches),
            drains=dict(self._drains),
            commands=dict(self._commands),
            call_failures=dict(self._call_failures),
            units_lost=self._units_lost,
            tasks_lost=self._tasks_lost,
            task_seconds_lost=self._task_seconds_lost,
            bytes_lost=self._bytes_lost,
            startup=self._startup.frozen,
            drain=self._drain.frozen,
            calls={name: growing.frozen for name, growing in self._calls.items()},
            lateness=self._lateness.frozen,
            delay=self._delay.frozen,
        )

    def late(self, seconds: float) -> None:
        """A regular look has begun so long after it was due."""
        self._lateness.add(seconds)

    def add(self, event: Event, before: State, after: State, record: Record, delay: float) -> None:
        """Count one event and what was decided on it.

        Args:
            event: what has happened.
            before: what the decision remembered then.
            after: what it remembers now.
            record: of both.
            delay: how long after the event it was decided on.
        """
        self._delay.add(delay)
        match event:
            case Sampled(sample=sample):
                self._call("look", sample.at - sample.begun)
                self._call_failures["look"] += bool(sample.load.missing)
                self._see_launches(before, after, sample)
                self._see_lost(before.sample, sample)
            case SampleFailed():
                self._call_failures["look"] += 1
            case Suggested():
                self._hear(event)
            case Finished(outcome=outcome):
                self._end(outcome)
            case _:
                self._commands[type(event).__name__] += 1
        if record.decision is not None:
            self._decide(record.decision)

    def _decide(self, decision: Decision) -> None:
        reason = decision.reasons[-1].limiter if decision.reasons else "load"
        self._decisions[reason, _direction(decision)] += 1
        for action in decision.actions:
            if isinstance(action, Suggest):
                self._asked = (action.question, decision.at)

    def _hear(self, event: Suggested) -> None:
        if self._asked is not None and self._asked[0] == event.question:
            self._call("suggest", event.at - self._asked[1])
        self._call_failures["suggest"] += event.workers is None

    def _end(self, outcome: Outcome) -> None:
        if outcome.action == "drain":
            self._drains[outcome.result] += 1
            if outcome.result in {"done", "forced"}:
                self._drain.add(outcome.took)
            self._tasks_lost += outcome.lost.tasks
            self._task_seconds_lost += outcome.lost.task_seconds
            self._bytes_lost += outcome.lost.bytes
        elif outcome.action != "recall":
            self._call(outcome.action, outcome.took)
            self._call_failures[outcome.action] += outcome.result in {"failed", "timed out"}

    def _call(self, name: CallName, took: float) -> None:
        if name not in self._calls:
            self._calls[name] = _Growing(CALLS)
        self._calls[name].add(took)

    def _see_launches(self, before: State, after: State, sample: Sample) -> None:
        if not before.launched_at:
            return
        for unit, since in before.launched_at.items():
            if unit not in after.launched_at:
                end = _launch_end(unit, before, after, sample)
                self._launches[end] += 1
                if end == "registered":
                    self._startup.add(sample.at - since)

    def _see_lost(self, before: Sample | None, sample: Sample) -> None:
        if not sample.by_state.get("lost"):
            return
        known = {} if before is None else before.by_id
        lost = (unit.id for unit in sample.units if unit.state == "lost")
        self._units_lost += sum(unit not in known or known[unit].state != "lost" for unit in lost)


def _launch_end(unit: UnitId, before: State, after: State, sample: Sample) -> LaunchEnd:
    if unit in after.overdue:
        return "timed out"
    seen = sample.by_id.get(unit)
    if seen is not None and seen.state == "registered":
        return "registered"
    flight = before.flights.get(unit)
    return "taken back" if seen is None and flight is not None and flight.kind == "cancel" else "failed"


def _direction(decision: Decision) -> Direction:
    if any(isinstance(action, Launch | Recall) for action in decision.actions):
        return "grow"
    leaving = any(
        isinstance(action, Drain) or (isinstance(action, Cancel) and not action.ended)
        for action in decision.actions
    )
    return "shrink" if leaving else "stay"
