"""When the load is not known: first the size stays as it is, after a while it becomes what was set for that case.

The modes are KEDA's (``fallback.behavior``: static, currentReplicas, currentReplicasIfHigher), by time instead of by a
number of failures, since looks may come at any distance.
"""

from __future__ import annotations

from attrs import evolve

from trio_adaptive.decision.limiters.passage import Passage
from trio_adaptive.decision.state import State, units_for


def listen(state: State, at: float, *, known: bool) -> State:
    """The state after the load has been asked for: whether it is ``known`` now."""
    since = state.memory.silent_since
    if known == (since is None):
        return state
    return evolve(state, memory=evolve(state.memory, silent_since=None if known else at))


def silence(state: State, at: float) -> float | None:
    """For how long the load has not been known, in seconds; None while it is."""
    since = state.memory.silent_since
    return None if since is None else at - since


def is_due(state: State, at: float) -> bool:
    """Whether the fallback counts."""
    limits, quiet = state.rules.limits, silence(state, at)
    return limits.fallback != "current" and quiet is not None and quiet >= limits.fallback_after


def fallback(passage: Passage) -> tuple[Passage, str]:
    """The size for when the load has not been known for too long."""
    state, facts, limits = passage.state, passage.facts, passage.limits
    if not is_due(state, facts.at):
        return passage, ""
    size = units_for(limits.fallback_size or 0, state.unit_size)
    n = size if limits.fallback == "static" else max(facts.active, size)
    return evolve(passage, n=n), f"no load for {silence(state, facts.at):.0f} s"
