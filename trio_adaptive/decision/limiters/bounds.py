"""The bounds, which come last: nothing that the load or a user's word asks for escapes them."""

from __future__ import annotations

import math

from trio_adaptive.decision.limiters.passage import Passage, workers


def minimum(passage: Passage) -> tuple[Passage, str]:
    """Never below the minimum."""
    state = passage.state
    return passage.clamped(state.least, math.inf), f"minimum {workers(state, state.minimum)}"


def maximum(passage: Passage) -> tuple[Passage, str]:
    """Never above the maximum."""
    state = passage.state
    return passage.clamped(0, state.most), f"maximum {workers(state, state.maximum)}"


def shared(passage: Passage) -> tuple[Passage, str]:
    """No more than this cluster's part of a maximum that several share."""
    state = passage.state
    if state.share is None:
        return passage, ""
    return passage.clamped(0, state.share_units), f"{workers(state, state.share.n)} {state.share.words}"
