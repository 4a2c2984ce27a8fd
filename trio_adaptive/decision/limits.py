"""What the limiters are told, and what they remember: frozen values, most of them off unless a setting says otherwise.

Sizes are workers, as in everything that a user says, unless the name says units. Durations are seconds, times are those
of the events.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from attrs import field, frozen

RateChoice: TypeAlias = Literal["loosest", "strictest"]
"""Which of several rates counts."""

Fallback: TypeAlias = Literal["current", "static", "current-if-higher"]
"""What is aimed at when nothing has been heard of the load for too long: the size that there is, a fixed one, or the
larger of the two."""


@frozen
class Rate:
    """At most this much in any such period: workers, or a percentage of the size at the period's beginning."""

    amount: float
    percent: bool
    period: float

    @property
    def words(self) -> str:
        return f"{self.amount:g}{' %' if self.percent else ''} in {self.period:g} s"


@frozen
class Limits:
    """The limiters' settings; `trio_adaptive.config.Settings` has the same names and tells what they mean."""

    stabilization_up: float = 0.0
    stabilization_down: float = 0.0
    rate_up: tuple[Rate, ...] = ()
    rate_down: tuple[Rate, ...] = ()
    rate_choice: RateChoice = "loosest"
    max_launching: float = math.inf
    tolerance_up: float = 0.0
    tolerance_down: float = 0.0
    budget: float = math.inf
    budget_period: float = 86400.0
    fallback: Fallback = "current"
    fallback_size: int | None = None
    fallback_after: float = 60.0


@frozen
class Window:
    """A stretch of the calendar that is open now.

    Attributes:
        words: which one, for people, such as ``"0 8 * * mon-fri to 0 18 * * mon-fri, Europe/Berlin"``.
        minimum: at least so many workers; None where it says nothing of that.
        maximum: at most so many workers.
    """

    words: str
    minimum: int | None = None
    maximum: int | None = None


@frozen
class Share:
    """This cluster's part of a maximum that several share.

    Attributes:
        n: so many workers at most.
        words: of how many, and beside whom, for people.
    """

    n: int
    words: str


@frozen
class Wish:
    """A number of units that was asked for, and when."""

    at: float
    n: int


@frozen
class Change:
    """Units that were launched or recalled, and those that were given back, by one decision."""

    at: float
    added: int
    removed: int


@frozen
class Spending:
    """Worker-seconds of the last period, in pieces of time of equal length.

    Attributes:
        at: time of the last look.
        paid: workers that were paid since then.
        pieces: number of a piece, and the worker-seconds in it; oldest first.
    """

    at: float
    paid: int
    pieces: tuple[tuple[int, float], ...] = ()

    @property
    def used(self) -> float:
        """Worker-seconds in all pieces."""
        return sum(seconds for _, seconds in self.pieces)


@frozen
class Memory:
    """What the limiters remember.

    Attributes:
        peaks: the wishes that may yet be the largest in the window: falling, oldest first.
        dips: the wishes that may yet be the smallest in the window: rising, oldest first.
        changes: for the rates; oldest first.
        spending: for the budget; None before the first look.
        silent_since: when the load was asked for in vain first; None while it is known.
    """

    peaks: tuple[Wish, ...] = ()
    dips: tuple[Wish, ...] = ()
    changes: tuple[Change, ...] = field(default=())
    spending: Spending | None = None
    silent_since: float | None = None
