"""How often work comes, and how much at a time: counts in buckets of time."""

from __future__ import annotations

import math
from typing import Final

from attrs import evolve, frozen

WINDOW: Final = 10.0
"""How far back it is looked, in start-up times."""

RATE_WINDOW: Final = 3.0
"""How far back for a rate, in start-up times: long enough to count, short enough to follow."""

LEAST_WINDOW: Final = 60.0
"""How far back at least, in seconds."""

BUCKETS: Final = 40
"""Into so many parts the window is divided: the memory is as small, however often work comes."""


@frozen
class Arrivals:
    """The submissions of late.

    Attributes:
        buckets: when each began, with the submissions and the tasks until then; the oldest first.
        submissions: so far.
        submitted: tasks so far.
        span: how far back it is looked, in seconds.
    """

    buckets: tuple[tuple[float, int, int], ...] = ()
    submissions: int = 0
    submitted: int = 0
    span: float = LEAST_WINDOW

    def see(self, at: float, submissions: int, submitted: int, startup: float) -> Arrivals:
        """After a look at which there had been so many."""
        if submissions == self.submissions:
            return self
        span = max(WINDOW * startup, LEAST_WINDOW)
        buckets = self.buckets
        if not buckets or at - buckets[-1][0] >= span / BUCKETS:
            buckets = (*buckets, (at, self.submissions, self.submitted))
            while len(buckets) > 1 and buckets[1][0] < at - span:
                buckets = buckets[1:]
        return evolve(self, buckets=buckets, submissions=submissions, submitted=submitted, span=span)

    @property
    def single(self) -> bool:
        """Whether all that there ever was came at once."""
        return self.submissions <= 1

    def recent(self, at: float) -> int:
        """Tasks submitted within the window."""
        first = self._since(at - self.span)
        return self.submitted - first[2] if first else 0

    def rate(self, at: float) -> float:
        """Tasks a second that are to be expected; 0 until there have been two submissions.

        The rate of late less one standard error, ``1 / sqrt(n)`` for n submissions: what comes seldom may not come.
        """
        first = None if self.single else self._since(at - self.span * RATE_WINDOW / WINDOW)
        if first is None:
            return 0.0
        began, submissions, submitted = first
        seen = max(0.0, 1 - 1 / math.sqrt(self.submissions - submissions))
        return seen * (self.submitted - submitted) / max(self.span / WINDOW, at - began)

    def _since(self, since: float) -> tuple[float, int, int] | None:
        return next((bucket for bucket in self.buckets if bucket[0] >= since), None)

    @property
    def burst(self) -> float:
        """Tasks of one submission, in the mean; at least 1."""
        if not self.buckets:
            return 1.0
        _, submissions, submitted = self.buckets[0]
        return max(1.0, (self.submitted - submitted) / max(1, self.submissions - submissions))
