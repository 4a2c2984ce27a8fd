"""What is told about a decision."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from trio_adaptive.decision.model.actions import Action, Outcome
from trio_adaptive.decision.model.events import Command
from trio_adaptive.decision.model.load import Load


@frozen
class Reason:
    """One link of the chain between the raw target and the final size."""

    limiter: str
    before: int
    after: int
    why: str


@frozen
class Decision:
    """What was decided at one moment, with the chain of reasons.

    Attributes:
        raw: units that the load asks for.
        final: units after every limiter.
        active: units that serve or will, when deciding.
        reasons: the limiters that changed the number, in order.
        actions: what follows.
        note: why less was done than ``final`` asks for, for example a back-off after failed launches.
        chosen: a line for each unit that is given back, why this one.
        load: what ``raw`` comes from.
    """

    at: float
    raw: int
    final: int
    active: int
    reasons: tuple[Reason, ...] = ()
    actions: tuple[Action, ...] = ()
    note: str = ""
    chosen: tuple[str, ...] = ()
    load: Load = field(factory=lambda: Load(0))


@frozen
class Counts:
    """Units by state at one moment, Dask's three sets and what is on its way out."""

    plan: int = 0
    requested: int = 0
    observed: int = 0
    draining: int = 0
    busy: int = 0


@frozen
class Shadowed:
    """What a policy that only advises would have done.

    Attributes:
        name: of the policy.
        target: units that it aims at, after every limiter; None before the first look.
        size: units that it would have, those that start included.
        cost: worker-seconds that it would have cost more than in fact, so far; negative where less.
        waiting: seconds that tasks would have waited longer than in fact, all together; negative where less.
        error: why it says nothing any more; empty where it does.
    """

    name: str
    target: int | None = None
    size: int = 0
    cost: float = 0.0
    waiting: float = 0.0
    error: str = ""


RecordKind: TypeAlias = Literal["sample", "sample failed", "suggestion", "outcome", "command"]


@frozen
class Record:
    """One line of history: what was seen or said, and what was decided.

    Exactly one of ``event``'s forms is kept whole; samples are kept as counts, since a thousand units a second
    would be a journal that nobody reads.
    """

    at: float
    kind: RecordKind
    counts: Counts = field(factory=Counts)
    decision: Decision | None = None
    outcome: Outcome | None = None
    command: Command | None = None
    error: str = ""
    shadows: tuple[Shadowed, ...] = ()
