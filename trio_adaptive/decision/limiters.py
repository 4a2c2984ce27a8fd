"""The chain between what the load asks for and what is done: each limiter names itself and says why.

A limiter is a pure function ``(state, now, n, active) -> (n, why)``. The table at the end is the order; bounds come
last, so that nothing escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from trio_adaptive.decision.model import Reason
from trio_adaptive.decision.state import State

Limiter: TypeAlias = Callable[[State, float, int, int], tuple[int, str]]


def _until(until: float, now: float) -> str:
    return "until released" if math.isinf(until) else f"for another {until - now:.0f} s"


def pause(state: State, _now: float, n: int, active: int) -> tuple[int, str]:
    """No growing, no shrinking, or neither, while paused."""
    if n > active and state.paused_growing:
        return active, "growing is paused"
    if n < active and state.paused_shrinking:
        return active, "shrinking is paused"
    return n, ""


def hold(state: State, now: float, n: int, _active: int) -> tuple[int, str]:
    """Exactly the size that a user holds."""
    if state.hold is None or state.hold.until <= now:
        return n, ""
    return state.hold.n, f"held at {state.hold.n} {_until(state.hold.until, now)}"


def requests(state: State, now: float, n: int, _active: int) -> tuple[int, str]:
    """At least the highest floor that has been requested and has not expired."""
    floors = [floor for floor in state.floors if floor.until > now]
    if not floors:
        return n, ""
    highest = max(floors, key=lambda floor: (floor.n, floor.until))
    return max(n, highest.n), f"requested at least {highest.n} {_until(highest.until, now)}"


def minimum(state: State, _now: float, n: int, _active: int) -> tuple[int, str]:
    """Never below the minimum."""
    return max(n, state.minimum), f"minimum {state.minimum}"


def maximum(state: State, _now: float, n: int, _active: int) -> tuple[int, str]:
    """Never above the maximum."""
    return (n if n <= state.maximum else int(state.maximum)), f"maximum {state.maximum:g}"


CHAIN: tuple[tuple[str, Limiter], ...] = (
    ("pause", pause),
    ("hold", hold),
    ("request", requests),
    ("minimum", minimum),
    ("maximum", maximum),
)


def limit(state: State, now: float, wanted: int, active: int) -> tuple[int, tuple[Reason, ...]]:
    """Send a wanted size (units) through the chain; returns the final size and the limiters that changed it."""
    reasons: list[Reason] = []
    n = wanted
    for name, limiter in CHAIN:
        after, why = limiter(state, now, n, active)
        if after != n:
            reasons.append(Reason(name, n, after, why))
            n = after
    return n, tuple(reasons)
