"""A number on its way through the chain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from attrs import evolve, frozen

from trio_adaptive.decision.limits import Limits
from trio_adaptive.decision.model import Reason
from trio_adaptive.decision.state import State


@frozen
class Facts:
    """What a decision is made from, beside the state.

    Attributes:
        at: when.
        active: units that serve or are coming to.
        launching: units that have been asked for and have not registered.
        recallable: units on their way out that may still be given back to service; not looked up where ``max_launching``
            is off.
    """

    at: float
    active: int
    launching: int = 0
    recallable: int = 0


@frozen
class Passage:
    """A number of units, and what has been said of it so far.

    Attributes:
        state: what the decision remembers; a limiter with a memory puts it in here.
        facts: see there.
        n: the number.
        low: the least that a user's word allows.
        high: the most that a user's word allows; may be infinite.
        asked: the number before what limits its pace; None where nothing has.
    """

    state: State
    facts: Facts
    n: int
    low: int = 0
    high: float = math.inf
    asked: int | None = None

    @property
    def limits(self) -> Limits:
        return self.state.rules.limits

    def within(self, low: int, high: float) -> Passage:
        """Between these two, as far as what was said before allows; and whatever is said later stays between them."""
        # The earlier word is the stronger one.
        low, high = int(min(max(low, self.low), self.high)), max(min(high, self.high), self.low)
        return evolve(self, n=int(min(max(self.n, low), high)), low=low, high=high)

    def nearer(self, n: int) -> Passage:
        """With this number, or the next one to it that a user's word allows."""
        return evolve(self, n=int(min(max(n, self.low), self.high)))

    def clamped(self, low: float, high: float) -> Passage:
        """Between these two, whatever has been said; ``high`` wins where they contradict each other."""
        n = int(min(max(self.n, low), high))
        return self if n == self.n else evolve(self, n=n)

    def slowed(self, low: float, high: float) -> Passage:
        """Between these two, for the time being: what was asked for is remembered."""
        after = self.clamped(low, high)
        return after if after is self or self.asked is not None else evolve(after, asked=self.n)


Limiter: TypeAlias = Callable[[Passage], tuple[Passage, str]]
"""Returns the passage, and why the number has changed; the latter counts only where it has."""


@frozen
class Limited:
    """What came out of the chain.

    Attributes:
        state: with the limiters' memory.
        final: the number of units to aim at.
        reasons: the limiters that changed it, in order.
    """

    state: State
    final: int
    reasons: tuple[Reason, ...]


def remaining(until: float, now: float) -> str:
    """For how long, in words."""
    return "until released" if math.isinf(until) else f"for another {until - now:.0f} s"


def workers(state: State, n: float) -> str:
    """A number of workers in words, which may not be a number of whole units."""
    return f"{n:g}" if state.unit_size == 1 else f"{n:g} workers in units of {state.unit_size}"


def up_to(state: State, n: float) -> float:
    """So many workers in whole units, rounded down; may be infinite."""
    return n // state.unit_size if math.isfinite(n) else math.inf
