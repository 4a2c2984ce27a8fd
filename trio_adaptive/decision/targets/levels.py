"""How long to keep the k-th worker when only k - 1 are needed: learned from how long it was not needed before.

A pool of workers is seen as a pile of levels. Level k is needed while at least k workers are. Keeping a level through
a gap costs the length of the gap, closing it costs what a restart costs: the rent-or-buy problem. Without knowledge,
keeping for as long as a restart costs is at most twice as dear as knowing the future (Karlin et al. 1988); with the gaps
seen so far, the best time is the one that would have been cheapest for them (Keshav et al. 1995).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Final

from attrs import evolve, frozen

GAPS_KEPT: Final = 24
"""Of each level, the latest: enough for a distribution, few enough to follow."""

PRIOR_WEIGHT: Final = 4.0
"""As many seen gaps weigh as much as the belief from before."""

PRIOR_SCALE: Final = 0.25
"""Before anything is seen, a gap is longer than t with the probability ``1 / (1 + t / (PRIOR_SCALE * restart))``, for
which keeping for ``(1 - PRIOR_SCALE) * restart`` is best."""

CANDIDATES: Final = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Keep times that are tried beside the gaps themselves, in restarts."""


@frozen
class Levels:
    """Which levels are needed, and for how long the others have not been.

    Attributes:
        needed: how many were needed at the latest look.
        since: of each level, when it was last needed; of those that are needed now, without meaning.
        gaps: of each level, its latest gaps in seconds.
    """

    needed: int = 0
    since: tuple[float, ...] = ()
    gaps: tuple[tuple[float, ...], ...] = ()

    def see(self, needed: int, at: float) -> Levels:
        """After a look at which so many were needed."""
        if needed == self.needed:
            return self
        if needed < self.needed:
            since = (*self.since[:needed], *[at] * (self.needed - needed), *self.since[self.needed :])
            return evolve(self, needed=needed, since=since)
        fresh = needed - len(self.since)
        ends = (*self.since, *(-math.inf for _ in range(fresh)))
        seen = [*self.gaps, *(() for _ in range(fresh))]
        for level in range(self.needed, needed):
            if ends[level] > -math.inf:
                seen[level] = (*seen[level], at - ends[level])[-GAPS_KEPT:]
        return Levels(needed, ends, tuple(seen))

    def unneeded(self, level: int, at: float) -> float:
        """For how long level ``level`` (counted from 0) has not been needed; infinite if it never was."""
        if level < self.needed:
            return 0.0
        return at - self.since[level] if level < len(self.since) else math.inf

    @property
    def most(self) -> int:
        """The most levels that were ever needed; at least 1."""
        return max(1, len(self.since))

    def gaps_of(self, level: int) -> tuple[float, ...]:
        """The gaps seen of a level, counted from 0."""
        return self.gaps[level] if level < len(self.gaps) else ()


@lru_cache(maxsize=4096)
def keep_time(gaps: tuple[float, ...], restart: float, below: tuple[float, ...] = ()) -> float:
    """For how long keeping is best: the c for which ``E[min(gap, c)] + restart * P(gap > c)`` is least.

    The expectation is over the gaps seen and a belief that counts as `PRIOR_WEIGHT` of them. That is what the level below has
    seen, whose gaps are as long or shorter, and as many as `PRIOR_WEIGHT` of the prior, see `PRIOR_SCALE`.

    Args:
        gaps: seen, in seconds.
        restart: what closing and starting again costs, in worker-seconds.
        below: those of the level below.
    """
    if restart <= 0:
        return 0.0
    own, under = _Seen(gaps, restart), _Seen(below, restart)
    scale = PRIOR_SCALE * restart
    weight = PRIOR_WEIGHT / (PRIOR_WEIGHT + len(below))
    best, best_cost = 0.0, math.inf
    for c in (*(share * restart for share in CANDIDATES), *own.ordered):
        prior = PRIOR_WEIGHT * (scale * math.log1p(c / scale) + restart / (1 + c / scale))
        cost = own.cost(c) + weight * (under.cost(c) + prior)
        if cost < best_cost:
            best, best_cost = c, cost
    return best


class _Seen:
    """What keeping for so long would have cost over some gaps."""

    def __init__(self, gaps: tuple[float, ...], restart: float) -> None:
        self.ordered = sorted(gaps)
        self._passed = [0.0, *accumulate(self.ordered)]
        self._restart = restart

    def cost(self, c: float) -> float:
        shorter = bisect_right(self.ordered, c)
        return self._passed[shorter] + (len(self.ordered) - shorter) * (c + self._restart)
