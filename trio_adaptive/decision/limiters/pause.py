"""A pause comes before everything: while it lasts, nothing else moves the size in that direction, bounds included.

So it stands at both ends of the chain: first, so that the record says what becomes of the load's wish; and last, so that no
hold, floor or bound gets past it.
"""

from __future__ import annotations

from attrs import evolve

from trio_adaptive.decision.limiters.passage import Passage


def pause(passage: Passage) -> tuple[Passage, str]:
    """No growing, no shrinking, or neither, while paused."""
    active, state = passage.facts.active, passage.state
    if passage.n > active and state.paused_growing:
        return evolve(passage, n=active), "growing is paused"
    if passage.n < active and state.paused_shrinking:
        return evolve(passage, n=active), "shrinking is paused"
    return passage, ""
