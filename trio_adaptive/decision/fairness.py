"""Dividing a number of workers that several clusters share: weighted max-min fairness.

Nobody gets more than it wants; what one does not want is for the others; and of what all want, the one that has least for its
weight comes first. Bertsekas and Gallager, *Data Networks*, 2nd ed. 1992, section 6.5.2 (progressive filling), in whole
workers: the level rises for all at once, and what is left below the next whole level goes one by one.

Beside that, `caps` sees to it that the sum holds at every moment: what one is to give up is given to another only when it
is free.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Final

from attrs import field, frozen

ROUNDING: Final = 1 - 1e-12
"""Keeps what was computed from being a last bit above a whole worker; what is missing then is given one by one."""


@frozen
class Claim:
    """What one cluster asks of the workers that all share. All sizes are workers.

    Attributes:
        name: unique; decides between those that are alike otherwise.
        wanted: how many it would have if it were alone.
        minimum: never fewer than this, whatever others want.
        weight: its part, above 0.
        existing: how many it has now, those that are starting or leaving included.
        cap: how many it may have, as far as it is known to have been told; None where it has been told nothing.
    """

    name: str
    wanted: int
    minimum: int = 0
    weight: float = field(default=1.0)
    existing: int = 0
    cap: int | None = None

    @property
    def ceiling(self) -> int:
        """The most that it is given: what it wants, and its minimum in any case."""
        return max(self.wanted, self.minimum)

    @property
    def taken(self) -> int:
        """What it has, may yet start before it hears anything new, or is sure to be given."""
        return max(self.existing, self.cap or 0, self.minimum)

    def at(self, level: float) -> int:
        """What it has when everybody has so much for each unit of weight."""
        return min(max(math.floor(level * self.weight), self.minimum), self.ceiling)


def divide(total: int, claims: Sequence[Claim]) -> dict[str, int]:
    """How many workers each gets, by name, so that they are at most ``total`` together.

    The minima are given in any case, also where they are more than that.
    """
    level = _level(total, claims)
    given = {claim.name: claim.at(level) for claim in claims}
    left = total - sum(given.values())
    waiting = [
        ((given[claim.name] + 1) / claim.weight, claim.name, claim)
        for claim in claims
        if given[claim.name] < claim.ceiling
    ]
    heapq.heapify(waiting)
    while left > 0 and waiting:
        _, name, claim = heapq.heappop(waiting)
        given[name] += 1
        left -= 1
        if given[name] < claim.ceiling:
            heapq.heappush(waiting, ((given[name] + 1) / claim.weight, name, claim))
    return given


def _level(total: int, claims: Sequence[Claim]) -> float:
    """The level at which all together would have ``total``, were workers not whole; or that at which all are content.

    With the level, what is given grows in straight pieces: each claim begins to count where the level has reached its
    minimum, and ends where it has all that it wants.
    """
    begins = [(claim.minimum / claim.weight, claim.weight) for claim in claims]
    ends = [(claim.ceiling / claim.weight, -claim.weight) for claim in claims]
    given, level, slope = float(sum(claim.minimum for claim in claims)), 0.0, 0.0
    for point, change in sorted(begins + ends):
        more = slope * (point - level)
        if given + more >= total:
            level += (total - given) / slope if slope > 0 else 0.0
            return max(0.0, min(level, point)) * ROUNDING
        given, level, slope = given + more, point, slope + change
    return level + 1.0


def with_slack(total: int, claims: Sequence[Claim]) -> dict[str, int]:
    """The fair division, and what nobody wants divided as well: so that a cluster may grow a little without asking."""
    given = divide(total, claims)
    left = total - sum(given.values())
    if left <= 0:
        return given
    rest = [Claim(claim.name, left, weight=claim.weight) for claim in claims]
    more = divide(left, rest)
    return {name: given[name] + more[name] for name in given}


def is_due(total: int, claims: Sequence[Claim]) -> bool:
    """Whether the caps have to be looked at: one is missing, holds a cluster back, or all are too much together.

    As long as everybody has what it wants nothing is changed.
    """
    return any(map(is_held_back, claims)) or sum(claim.cap or 0 for claim in claims) > total


def is_held_back(claim: Claim) -> bool:
    """Whether it would have more if it might, or does not know yet what it may have."""
    return claim.cap is None or claim.ceiling > claim.cap


def caps(total: int, claims: Sequence[Claim]) -> dict[str, int]:
    """How many workers each may have from now on, by name.

    What is lower than before counts at once. What is higher counts as far as others have given up theirs: all that exist
    and may come are never more than ``total``, unless the minima or what was there before are.
    """
    if not is_due(total, claims):
        return {claim.name: claim.cap or 0 for claim in claims}
    fair = with_slack(total, claims)
    taken = {claim.name: claim.taken for claim in claims}
    free = max(0, total - sum(taken.values()))
    asking = [Claim(each.name, max(0, fair[each.name] - each.taken), weight=each.weight) for each in claims]
    more = divide(free, asking)
    return {name: min(fair[name], taken[name] + more[name]) for name in fair}
