"""What is told to the outside: the latest records, those who follow them, and one frozen statistics value."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any, Literal, TypeAlias

import anyio
from attrs import define, field, frozen

from trio_adaptive.decision.lifecycle import startup_limit
from trio_adaptive.decision.limiters import BudgetStatistics, budget_statistics
from trio_adaptive.decision.model import (
    Cancel,
    Counts,
    Decision,
    Drain,
    Launch,
    Record,
    Sample,
    Shadowed,
    WorkerName,
)
from trio_adaptive.decision.retries import Breaker, breaker
from trio_adaptive.decision.shadows.follow import told
from trio_adaptive.decision.state import Floor, Hold, State, take_census

Stage: TypeAlias = Literal["created", "running", "stopping", "stopped"]


@frozen
class Statistics:
    """How the scaler is doing, at one moment. Counts, wanted and target are units, times are seconds.

    Attributes:
        stage: where in its life the scaler is.
        counts: units by state at the last look.
        wanted: what the load asks for; None before the first look.
        target: what is aimed at after every limiter; None before the first look.
        reasons: the limiters between the two, in words.
        blocked: ready tasks that neither a present nor a new worker can run, and what they need, in words.
        degraded: why less is known, and less safe, than could be; empty where nothing is missing.
        note: what keeps the scaler from going there at once.
        unit_size: workers in a unit, as far as is known.
        minimum: the bound below, in workers.
        maximum: the bound above, in workers; infinite when there is none.
        hold: the size that a user holds, and until when, on the event loop's clock.
        floor: the highest floor that has been requested and has not expired.
        windows: the windows of the schedules that are open now, in words.
        claimed: what would be aimed at without the part of a shared maximum; None before the first look.
        existing: units that exist or may exist, those that leave included: what the bounds above are held against.
        share: the part of a maximum that several clusters share, in workers; None where there is no such bound.
        budget: how the budget stands; None where there is none.
        paused: whether growing and shrinking are paused.
        failures: launches that failed in a row.
        last_error: the latest thing that went wrong, in the cluster's own words.
        breaker: "open" after too many failures in a row, while nothing is launched; "half-open" while launches are
            tried one by one; else "closed".
        startup: median time from launch to registered; None before the first.
        startup_p95: what 95 of 100 of the starts took at most; None before the first.
        startup_limit: how long a unit may take to register before it is given up.
        samples: looks that were answered.
        samples_failed: looks that were not.
        unanswered: why the latest look was not answered; empty where it was.
        journal: why the journal is not being written; empty where it is, or none is wanted.
        stop_reason: why adapting ended.
        policy: which one decides, by name.
        shadows: what those that only advise would have done.
    """

    stage: Stage
    counts: Counts
    wanted: int | None
    target: int | None
    reasons: tuple[str, ...]
    blocked: tuple[str, ...]
    degraded: str
    note: str
    unit_size: int
    minimum: int
    maximum: float
    hold: Hold | None
    floor: Floor | None
    windows: tuple[str, ...]
    claimed: int | None
    existing: int
    share: int | None
    budget: BudgetStatistics | None
    paused: tuple[Literal["growing", "shrinking"], ...]
    failures: int
    last_error: str
    breaker: Breaker
    startup: float | None
    startup_p95: float | None
    startup_limit: float
    samples: int
    samples_failed: int
    unanswered: str
    journal: str
    stop_reason: str
    policy: str
    shadows: tuple[Shadowed, ...]


class Follower:
    """One reader of the records, who may be slow: what it does not fetch in time is dropped, oldest first."""

    def __init__(self, length: int) -> None:
        self._records: deque[Record] = deque(maxlen=length)
        self._news = anyio.Event()
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Record]:
        return self

    async def __anext__(self) -> Record:
        while not self._records:
            if self._ended:
                raise StopAsyncIteration
            self._news = anyio.Event()
            await self._news.wait()
        return self._records.popleft()

    def put(self, record: Record) -> None:
        """Hand over a record; never blocks."""
        self._records.append(record)
        self._news.set()

    def end(self) -> None:
        """Let the iteration end once everything has been fetched."""
        self._ended = True
        self._news.set()


@define
class History:
    """Keeps records and hands them out.

    Attributes:
        length: how many are kept.
        own_name: what the cluster calls a worker, for the log.
        unanswered: why the latest look was not answered; empty where it was.
        log: upstream's log: ``(time, {"status": "up", "n": n})`` and ``{"status": "down", "workers": [...]}``.
    """

    length: int
    own_name: Callable[[WorkerName], Any] = str
    records: deque[Record] = field(init=False)
    log: deque[tuple[float, dict[str, Any]]] = field(init=False)
    latest: Record | None = None
    published: int = 0
    samples: int = 0
    samples_failed: int = 0
    unanswered: str = ""
    _followers: list[Follower] = field(factory=list)
    _ended: bool = False
    _news: anyio.Event = field(factory=anyio.Event)

    def __attrs_post_init__(self) -> None:
        self.records = deque(maxlen=self.length)
        self.log = deque(maxlen=self.length)

    def publish(self, record: Record, sample: Sample | None = None) -> None:
        """Keep a record and tell it to all followers; ``sample`` is the latest look."""
        self.records.append(record)
        self.published += 1
        self.samples += record.kind == "sample"
        self.samples_failed += record.kind == "sample failed"
        if record.kind in {"sample", "sample failed"}:
            self.unanswered = record.error
        if record.decision is not None:
            self.log += [(time.time(), entry) for entry in _entries(record.decision, sample, self.own_name)]
            if record.kind != "suggestion":
                self.latest = record
        for follower in self._followers:
            follower.put(record)
        self._tell()

    def numbered(self, after: int) -> list[tuple[int, Record]]:
        """The kept records with a number above ``after``, oldest first."""
        new = min(len(self.records), max(0, self.published - after))
        latest = list(islice(reversed(self.records), new))
        return list(enumerate(reversed(latest), self.published - new + 1))

    async def next_record(self) -> None:
        """Wait until there is another record, or the end."""
        if not self._ended:
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def follow(self) -> Follower:
        """A new reader, of what comes from now on."""
        follower = Follower(self.length)
        self._followers.append(follower)
        if self._ended:
            follower.end()
        return follower

    def unfollow(self, follower: Follower) -> None:
        """Forget a reader."""
        self._followers.remove(follower)

    def end(self) -> None:
        """There will be no more records."""
        self._ended = True
        for follower in self._followers:
            follower.end()
        self._tell()


def _entries(
    decision: Decision, sample: Sample | None, own_name: Callable[[WorkerName], Any]
) -> list[dict[str, Any]]:
    """What was decided as upstream logs it: one entry for growing, one for all that leave; sizes are workers."""
    if sample is None:
        return []
    entries: list[dict[str, Any]] = []
    leaving: list[Any] = []
    for action in decision.actions:
        if isinstance(action, Launch):
            entries.append({"status": "up", "n": decision.final * sample.unit_size})
        elif isinstance(action, Drain) or (isinstance(action, Cancel) and not action.ended):
            units = [sample.by_id[unit] for unit in action.units if unit in sample.by_id]
            leaving += [own_name(worker) for unit in units for worker in unit.workers]
    return [*entries, {"status": "down", "workers": leaving}] if leaving else entries


@frozen
class Claimed:
    """What a scaler would have of a maximum that several share; see `Statistics` for each."""

    unit_size: int
    minimum: int
    claimed: int | None
    existing: int
    share: int | None


def claimed(state: State, history: History) -> Claimed:
    """That part of the statistics which is looked at with every record, and so has to cost little."""
    decision = history.latest.decision if history.latest is not None else None
    return Claimed(
        unit_size=state.unit_size,
        minimum=state.minimum,
        claimed=None if decision is None else _claimed(decision),
        existing=0 if state.sample is None else take_census(state, state.sample).existing,
        share=None if state.share is None else state.share.n,
    )


def _claimed(decision: Decision) -> int:
    shared = [reason.before for reason in decision.reasons if reason.limiter == "shared maximum"]
    return shared[0] if shared else decision.final


def statistics(state: State, history: History, stage: Stage, journal: str = "") -> Statistics:
    """Put the statistics together from what is known."""
    now = history.records[-1].at if history.records else 0.0
    decision = history.latest.decision if history.latest is not None else None
    claim = claimed(state, history)
    paused: list[Literal["growing", "shrinking"]] = []
    if state.paused_growing:
        paused.append("growing")
    if state.paused_shrinking:
        paused.append("shrinking")
    return Statistics(
        stage=stage,
        counts=history.latest.counts if history.latest is not None else Counts(),
        wanted=None if decision is None else decision.raw,
        target=None if decision is None else decision.final,
        reasons=() if decision is None else tuple(f"{r.limiter}: {r.why}" for r in decision.reasons),
        blocked=() if decision is None else decision.load.blocked,
        degraded="" if decision is None else decision.load.degraded,
        note="" if decision is None else decision.note,
        unit_size=state.unit_size,
        minimum=state.minimum,
        maximum=state.maximum,
        hold=state.hold,
        floor=max(state.floors, key=lambda floor: (floor.n, floor.until), default=None),
        windows=tuple(window.words for window in state.windows),
        claimed=claim.claimed,
        existing=claim.existing,
        share=claim.share,
        budget=budget_statistics(state),
        paused=tuple(paused),
        failures=state.failures,
        last_error=state.last_error,
        breaker=breaker(state, now),
        startup=state.startup,
        startup_p95=state.startup_p95,
        startup_limit=startup_limit(state),
        samples=history.samples,
        samples_failed=history.samples_failed,
        unanswered=history.unanswered,
        journal=journal,
        stop_reason=state.stopping,
        policy=state.policy_name,
        shadows=tuple(map(told, state.shadows)),
    )
