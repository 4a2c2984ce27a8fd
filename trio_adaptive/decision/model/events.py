"""What the runtime tells the core: what it saw, what has ended, and what somebody commands."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from attrs import frozen

from trio_adaptive.decision.limits import Share, Window
from trio_adaptive.decision.model.actions import Outcome
from trio_adaptive.decision.model.policies import Policy
from trio_adaptive.decision.model.sample import Sample
from trio_adaptive.decision.model.units import WorkerName
from trio_adaptive.decision.rules import Rules


@frozen
class Sampled:
    """A look at the cluster is complete."""

    sample: Sample

    @property
    def at(self) -> float:
        return self.sample.at


@frozen
class SampleFailed:
    """The cluster or its scheduler gave no answer: hold, and above all do not shrink."""

    at: float
    error: str


@frozen
class Suggested:
    """The answer to a `Suggest`, best candidate first; ``workers`` is None where there was no answer."""

    at: float
    question: int
    workers: tuple[WorkerName, ...] | None
    error: str = ""


@frozen
class Finished:
    """An action has come to its end."""

    outcome: Outcome

    @property
    def at(self) -> float:
        return self.outcome.at


Direction: TypeAlias = Literal["both", "growing", "shrinking"]

# Each command but those of the calendar tells by whom it was given: who, and from where; empty for the program itself.


@frozen
class SetLimits:
    """New bounds, in workers. None leaves a bound as it is."""

    at: float
    minimum: int | None = None
    maximum: float | None = None
    by: str = ""


@frozen
class SetHold:
    """Hold the size at ``n`` workers until the time ``until``; ``n=None`` lets go."""

    at: float
    n: int | None
    until: float = math.inf
    by: str = ""


@frozen
class AddRequest:
    """At least ``n`` workers until the time ``until``."""

    at: float
    n: int
    until: float = math.inf
    by: str = ""


@frozen
class SetPause:
    """Stop or allow again growing, shrinking or both."""

    at: float
    direction: Direction
    paused: bool
    by: str = ""


@frozen
class SetSchedule:
    """These windows of the calendar are open from now on, and no others."""

    at: float
    windows: tuple[Window, ...]


@frozen
class SetRules:
    """Other settings of the decision count from now on; ``words`` tell which have changed."""

    at: float
    rules: Rules
    words: str
    by: str = ""


@frozen
class SetShare:
    """This much of a maximum that several clusters share is ours from now on; None: no such bound."""

    at: float
    share: Share | None


@frozen
class SetPolicy:
    """Another policy decides from now on.

    Attributes:
        name: as the setting `policy` has it.
        policy: with what it knows from before; a shadow of that name takes its place, with all that it has seen.
    """

    at: float
    name: str
    policy: Policy
    by: str = ""


@frozen
class Stop:
    """No further action; what is in flight is brought to its end."""

    at: float
    reason: str
    by: str = ""


Command: TypeAlias = (
    SetLimits | SetHold | AddRequest | SetPause | SetSchedule | SetPolicy | SetRules | SetShare | Stop
)
Event: TypeAlias = Sampled | SampleFailed | Suggested | Finished | Command
