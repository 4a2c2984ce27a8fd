"""What the decision remembers between two events.

`State` is frozen: every event makes a new one. It holds beliefs about actions in flight, patience with candidates
for leaving, and the commands of the user; the world itself comes anew with each sample and is not kept beyond one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import Literal, TypeAlias

from attrs import evolve, field, frozen

from trio_adaptive.decision.limits import Memory, Share, Window
from trio_adaptive.decision.model import ENDED, SERVING, Sample, Unit, UnitId, UnitState
from trio_adaptive.decision.policy import Advice, Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.shadows.echo import Echo
from trio_adaptive.decision.targets.simple import Demand

LATEST = 16
"""How many start-up times the median is taken over: enough to ride out one slow start, few enough to follow."""

FlightKind: TypeAlias = Literal["launch", "cancel", "drain", "recall", "leave"]
"""``leave`` is a drain that can no longer be recalled."""


@frozen
class Flight:
    """An action in flight for one unit.

    Attributes:
        kind: what is being done to the unit.
        begun: when it was decided.
        settled: when it ended; it is believed until a look that began later has shown the world after it.
    """

    kind: FlightKind
    begun: float
    settled: float | None = None


@frozen(cache_hash=True)
class Nomination:
    """A unit that could leave: since when and how many ticks in a row it has been named.

    Units that were named together share one, which is looked up once for each: hence the hash that is kept.
    """

    since: float
    count: int


@frozen
class Floor:
    """At least ``n`` workers until ``until``: what `request` asks for."""

    n: int
    until: float


@frozen
class Hold:
    """Exactly ``n`` workers until ``until``."""

    n: int
    until: float


@frozen
class Question:
    """A `Suggest` that has not been answered.

    Attributes:
        number: which one, so that the answer to an older one is known as such.
        ticks: whether the answer counts as a tick of patience.
    """

    number: int
    ticks: bool


@frozen
class Refusal:
    """A unit that has refused to leave.

    Attributes:
        count: how often in a row.
        at: when it has refused for the last time.
        until: when it may be asked again.
        why: in the cluster's words.
        idle: whether the cluster tells for how long it has been idle, and it was.
        busy: whether it was executing tasks.
    """

    count: int
    at: float
    until: float
    why: str
    idle: bool = False
    busy: bool = False


@frozen
class Shadow:
    """A policy that only advises.

    Attributes:
        name: as the setting `policy` has it.
        policy: what it begins with.
        state: what the decision with this policy remembers; None before the first look.
        echo: the cluster that it would have, estimated.
        target: units that it aimed at last, after every limiter; None before the first look.
        error: why it says nothing any more.
    """

    name: str
    policy: Policy
    state: State | None = None
    echo: Echo | None = None
    target: int | None = None
    error: str = ""


@frozen
class State:
    """Everything the decision remembers. See the attributes' own classes.

    What a user says (bounds, hold, floors) counts workers, as in Dask; what is done counts units. The size of a unit
    may not be known before the first look, so the one is turned into the other where it is needed.
    """

    rules: Rules = field(factory=Rules)
    policy: Policy = field(factory=Demand)
    advice: Advice = field(default=Advice(0, ""))
    minimum: int = 0
    maximum: float = math.inf
    prefix: str = "unit"
    units_named: int = 0
    paused_growing: bool = False
    paused_shrinking: bool = False
    hold: Hold | None = None
    floors: tuple[Floor, ...] = ()
    windows: tuple[Window, ...] = ()
    share: Share | None = None
    memory: Memory = field(factory=Memory)
    flights: Mapping[UnitId, Flight] = field(factory=dict)
    nominations: Mapping[UnitId, Nomination] = field(factory=dict)
    refusals: Mapping[UnitId, Refusal] = field(factory=dict)
    question: Question | None = None
    questions_asked: int = 0
    sample: Sample | None = None
    failures: int = 0
    retry_at: float = -math.inf
    last_error: str = ""
    launched_at: Mapping[UnitId, float] = field(factory=dict)
    overdue: Mapping[UnitId, float] = field(factory=dict)
    startups: tuple[float, ...] = ()
    stopping: str = ""
    policy_name: str = "demand"
    shadows: tuple[Shadow, ...] = ()

    @property
    def unit_size(self) -> int:
        """Workers in a unit, as far as is known."""
        return 1 if self.sample is None else self.sample.unit_size

    @property
    def least(self) -> int:
        """The minimum in whole units, rounded up."""
        return units_for(self.minimum, self.unit_size)

    @property
    def most(self) -> float:
        """The maximum in whole units, rounded down; may be infinite."""
        return self.maximum // self.unit_size if math.isfinite(self.maximum) else math.inf

    @property
    def share_units(self) -> float:
        """What may be had of a maximum that several clusters share, in whole units; infinite where there is none."""
        return math.inf if self.share is None else self.share.n // self.unit_size

    @property
    def startup(self) -> float | None:
        """Median time from launch to registered of the latest starts, in seconds; None before the first."""
        return median(self.startups[-LATEST:]) if self.startups else None

    @property
    def startup_p95(self) -> float | None:
        """What 95 of 100 of the starts that are remembered took at most, in seconds; None before the first."""
        ordered = sorted(self.startups)
        return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else None

    @property
    def patience(self) -> float:
        """How long a unit must have been a candidate for leaving before it goes, in seconds."""
        if self.rules.idle_timeout is not None:
            return self.rules.idle_timeout
        if self.advice.patience is not None:
            return self.advice.patience
        return max(self.rules.wait_count * self.rules.interval, self.startup or 0.0)

    @property
    def pending_patience(self) -> float:
        """The same for a unit that has not registered, and may lose its place in a queue."""
        timeout = self.rules.pending_timeout
        return self.patience if timeout is None else timeout

    def without_flights(self, gone: set[UnitId]) -> State:
        """The state after these flights have landed."""
        if not gone:
            return self
        return evolve(self, flights={u: f for u, f in self.flights.items() if u not in gone})

    def with_flights(self, units: tuple[UnitId, ...], kind: FlightKind, at: float) -> State:
        """The state with an action of this kind begun for these units."""
        return evolve(self, flights={**self.flights, **dict.fromkeys(units, Flight(kind, at))})


def units_for(workers: int, size: int) -> int:
    """Units that hold this many workers: ``ceil(workers / size)``, in integers.

    Integers because the same in floating point asks for one too many now and then
    (31 / 30 * 30 is 31.000000000000004).
    """
    return -(-workers // size)


LEAVING: frozenset[FlightKind] = frozenset({"cancel", "drain", "leave"})


@frozen
class Census:
    """How many units there are, believing what is in flight where the sample is older.

    Attributes:
        existing: how many units exist or may exist, those that leave included: what ``maximum`` bounds.
        active: how many serve or are coming to.
        doubtful: how many of these may not come: launched and not yet seen, or recalled and not yet back.
        launching: how many have been asked for and have not registered, those that are taken back included.
    """

    existing: int
    active: int
    doubtful: int
    launching: int


def take_census(state: State, sample: Sample) -> Census:
    """Count the units of a sample; beyond the counting by state it costs no more than there are flights."""
    by_state = sample.by_state
    active = sum(by_state.get(serving, 0) for serving in SERVING)
    existing = len(sample.units) - sum(by_state.get(ended, 0) for ended in ENDED)
    unseen = recalled = 0
    for unit_id, flight in state.flights.items():
        unit = sample.by_id.get(unit_id)
        if unit is None:
            unseen += flight.kind == "launch"
        elif unit.state in SERVING:
            active -= flight.kind in LEAVING
            recalled += flight.kind == "recall"
    pending = by_state.get("planned", 0) + by_state.get("requested", 0)
    return Census(existing + unseen, active + unseen, recalled + unseen, pending + unseen)


def free_units(state: State, sample: Sample, unit_state: UnitState) -> list[Unit]:
    """Units in this state that are ours to decide on and have nothing in flight, in the order of the sample."""
    if not sample.by_state.get(unit_state):
        return []
    flights = state.flights
    adopt = state.rules.strangers in {"auto", "adopt"}
    return [u for u in sample.units if u.state == unit_state and (u.ours or adopt) and u.id not in flights]


def untouched(state: State, sample: Sample) -> int:
    """How many workers count but are left alone."""
    if state.rules.strangers != "ignore":
        return 0
    return sum(len(unit.workers) for unit in sample.units if not unit.ours)


def ended_units(state: State, sample: Sample) -> tuple[UnitId, ...]:
    """Failed and lost units that nobody is cleaning up."""
    if not any(sample.by_state.get(ended) for ended in ENDED):
        return ()
    flying = {unit for unit, flight in state.flights.items() if flight.kind != "launch"}
    return tuple(u.id for u in sample.units if u.state in ENDED and u.id not in flying)
