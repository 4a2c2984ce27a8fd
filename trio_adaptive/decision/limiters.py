"""The chain between what the load asks for and what is done: each limiter names itself and says why.

A limiter is a pure function ``(state, now, n, active) -> (n, why)``, where n and active are units. What a user says counts
workers and becomes whole units here: the maximum is rounded down, all others up. The table at the end is the order;
bounds come last, so that nothing escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from trio_adaptive.decision.model import Reason
from trio_adaptive.decision.state import State, units_for

Limiter: TypeAlias = Callable[[State, float, int, int], tuple[int, str]]


def _until(until: float, now: float) -> str:
    return "until released" if math.isinf(until) else f"for another {until - now:.0f} s"


def _workers(state: State, n: float) -> str:
    return f"{n:g}" if state.unit_size == 1 else f"{n:g} workers in units of {state.unit_size}"


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
    units = units_for(state.hold.n, state.unit_size)
    return units, f"held at {_workers(state, state.hold.n)} {_until(state.hold.until, now)}"


def requests(state: State, now: float, n: int, _active: int) -> tuple[int, str]:
    """At least the highest floor that has been requested and has not expired."""
    floors = [floor for floor in state.floors if floor.until > now]
    if not floors:
        return n, ""
    highest = max(floors, key=lambda floor: (floor.n, floor.until))
    why = f"requested at least {_workers(state, highest.n)} {_until(highest.until, now)}"
    return max(n, units_for(highest.n, state.unit_size)), why


def minimum(state: State, _now: float, n: int, _active: int) -> tuple[int, str]:
    """Never below the minimum."""
    return max(n, state.least), f"minimum {_workers(state, state.minimum)}"


def maximum(state: State, _now: float, n: int, _active: int) -> tuple[int, str]:
    """Never above the maximum."""
    return (n if n <= state.most else int(state.most)), f"maximum {_workers(state, state.maximum)}"


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
