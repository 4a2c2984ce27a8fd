"""What other settings would have done in a recorded run.

Up to the first decision that differs, all that was seen is what would have been seen: it is decided on as it stands. From there on
the cluster would have been another one, and is estimated, as for a policy that only advises
(`trio_adaptive.decision.shadows.fluid` has the formulas).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field, frozen

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import Decision, Event, Load, Sample, Sampled
from trio_adaptive.decision.shadows.echo import Echo, Sums
from trio_adaptive.decision.shadows.fluid import fact_of, first_kinds, pass_time
from trio_adaptive.decision.shadows.follow import follow
from trio_adaptive.decision.state import Shadow, State
from trio_adaptive.decision.targets import load_of
from trio_adaptive.simulation.replay.proof import Replayed

Change = Callable[[State], State]
"""Makes the state with other settings of the recorded one."""


@frozen
class Divergence:
    """A decision that would have been another one.

    Attributes:
        time: seconds since 1970.
        recorded: what was decided in fact.
        otherwise: what would have been.
    """

    time: float
    recorded: Decision
    otherwise: Decision


@define
class Otherwise:
    """The same run with other settings, event by event.

    Attributes:
        change: makes the first state of each stretch.
        first: the first decision that differs; None as long as there is none.
        looks: how many there were.
        known: how many of them told of the work itself; without that, nothing can be said of the waiting.
    """

    change: Change
    first: Divergence | None = None
    looks: int = 0
    known: int = 0
    _state: State | None = None
    _shadow: Shadow | None = None
    _fact: Echo | None = None
    _done: Sums = field(factory=Sums)
    _done_otherwise: Sums = field(factory=Sums)

    def add(self, replayed: Replayed) -> None:
        """Take in the next event."""
        event = replayed.entry.event
        if replayed.fresh or self._state is None:
            self._done, self._done_otherwise = self.in_fact, self.otherwise
            self._fact = self._shadow = None
            self._state = self.change(replayed.before)
        if isinstance(event, Sampled):
            self._count(event.sample)
        if self._shadow is None:
            self._go_on_as_it_was(replayed, self._with_own_load(event, replayed.before))
        else:
            self._shadow = follow(self._shadow, event, replayed.after, decide)

    def _go_on_as_it_was(self, replayed: Replayed, event: Event) -> None:
        before = self._state
        if before is None:
            return
        self._state, _, record = decide(before, event)
        recorded, otherwise = replayed.entry.record.decision, record.decision
        if recorded is None or otherwise is None:
            return
        if (recorded.final, recorded.actions) != (otherwise.final, otherwise.actions):
            self.first = self.first or Divergence(replayed.entry.time, recorded, otherwise)
            if isinstance(event, Sampled):  # it is decided on again, in the cluster as it was found
                shadow = Shadow("otherwise", before.policy, before)
                self._shadow = follow(shadow, event, before, decide)
            else:
                self._shadow = Shadow("otherwise", before.policy, self._state)

    def _with_own_load(self, event: Event, recorded: State) -> Event:
        """With the load as it would have been told for another ``target_duration``."""
        if self._state is None or not isinstance(event, Sampled):
            return event
        target_duration = self._state.rules.target_duration
        if target_duration == recorded.rules.target_duration:
            return event
        return Sampled(evolve(event.sample, load=_load(event.sample.load, target_duration)))

    def _count(self, sample: Sample) -> None:
        work = sample.load.work
        self.looks += 1
        self.known += work is not None
        if self._fact is None:
            self._fact = Echo(sample.at, kinds=first_kinds(work), fact=fact_of(sample))
        else:
            fact = self._fact.fact if sample.load.missing else fact_of(sample)
            self._fact = evolve(pass_time(self._fact, sample.at), fact=fact)

    @property
    def in_fact(self) -> Sums:
        """What it has cost."""
        return self._done if self._fact is None else _sum(self._done, self._fact.fact_sums)

    @property
    def otherwise(self) -> Sums:
        """What it would have cost."""
        if self._fact is None:
            return self._done_otherwise
        total = _sum(self._done_otherwise, self._fact.fact_sums)
        echo = None if self._shadow is None else self._shadow.echo
        if echo is None:
            return total
        # Before they parted it cost the same.
        return Sums(
            total.cost + echo.sums.cost - echo.fact_sums.cost,
            total.waiting + echo.sums.waiting - echo.fact_sums.waiting,
        )

    @property
    def error(self) -> str:
        """Why nothing can be said of what comes after the first decision that differs."""
        return "" if self._shadow is None else self._shadow.error


def _sum(a: Sums, b: Sums) -> Sums:
    return Sums(a.cost + b.cost, a.waiting + b.waiting)


def _load(load: Load, target_duration: float) -> Load:
    if load.work is None or load.missing:
        return load
    own = load_of(load.work, target_duration, load.offers)
    return evolve(load, target=own.target, why=own.why)
