"""The order of the limiters."""

from __future__ import annotations

from trio_adaptive.decision.limiters.bounds import maximum, minimum, shared
from trio_adaptive.decision.limiters.budget import budget
from trio_adaptive.decision.limiters.fallback import fallback
from trio_adaptive.decision.limiters.passage import Facts, Limited, Limiter, Passage
from trio_adaptive.decision.limiters.pause import pause
from trio_adaptive.decision.limiters.rates import launching, rates
from trio_adaptive.decision.limiters.said import hold, requests, schedules
from trio_adaptive.decision.limiters.stabilization import stabilize
from trio_adaptive.decision.limiters.tolerance import tolerance
from trio_adaptive.decision.model import Reason
from trio_adaptive.decision.state import State

CHAIN: tuple[tuple[str, Limiter], ...] = (
    ("fallback", fallback),
    ("pause", pause),
    ("hold", hold),
    ("request", requests),
    ("schedule", schedules),
    ("stabilization", stabilize),
    ("rate", rates),
    ("launching", launching),
    ("tolerance", tolerance),
    ("budget", budget),
    ("minimum", minimum),
    ("maximum", maximum),
    ("shared maximum", shared),
    # Once more, since these two let nothing past: not even a minimum starts more at once, or ends a pause.
    ("launching", launching),
    ("pause", pause),
)


LIMITERS: tuple[str, ...] = tuple(name for name, _ in CHAIN)
"""Their names, in order; two come twice."""


def limit(state: State, facts: Facts, wanted: int) -> Limited:
    """Send a wanted size (units) through the chain."""
    reasons: list[Reason] = []
    passage = Passage(state, facts, wanted)
    for name, limiter in CHAIN:
        before = passage.n
        passage, why = limiter(passage)
        if passage.n != before:
            reasons.append(Reason(name, before, passage.n, why))
    return Limited(passage.state, passage.n, tuple(reasons))
