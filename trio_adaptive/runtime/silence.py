"""Telling of something that does not come: at once, then less and less often, and at last how long it was away."""

from __future__ import annotations

import math
from typing import Final

from attrs import define

AGAIN: Final = 10.0
"""Time until it is told of again, in seconds; each time twice as much as before."""

AT_MOST: Final = 600.0
"""More time than this is never between two, in seconds."""


@define
class Silence:
    """What is missing, since when, and when to say so again.

    Attributes:
        what: in a word, such as "answer".
        so: what is done about it.
    """

    what: str
    so: str
    _since: float = math.inf
    _next: float = -math.inf
    _pause: float = AGAIN

    def goes_on(self, at: float, why: str) -> str:
        """It is missing once more; what there is to say of it, or nothing."""
        lasts, self._since = at > self._since, min(at, self._since)
        if at < self._next:
            return ""
        self._next = at + self._pause
        self._pause = min(AT_MOST, 2 * self._pause)
        since = f" for {at - self._since:.0f} s" if lasts else ""
        return f"No {self.what}{since}, so {self.so}: {why}"

    def ends(self, at: float) -> str:
        """It is there; what there is to say of it, or nothing."""
        if self._since == math.inf:
            return ""
        lasted, self._since, self._next, self._pause = at - self._since, math.inf, -math.inf, AGAIN
        return f"The {self.what} is back, after {lasted:.1f} s"
