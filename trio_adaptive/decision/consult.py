"""Asking the policy: what it is shown of a look, and where its answer is kept."""

from __future__ import annotations

from attrs import evolve

from trio_adaptive.decision.model import Load, Sample
from trio_adaptive.decision.policy import View
from trio_adaptive.decision.state import LEAVING, State


def consult(state: State, sample: Sample) -> State:
    """The state after the policy has seen this look."""
    policy, advice = state.policy.advise(_view(state, sample))
    return evolve(state, policy=policy, advice=advice)


def advised(state: State, sample: Sample) -> Load:
    """The load as a record keeps it: with what the policy made of it, and without what that was made of.

    Where the load is missing, it stays as it is.
    """
    if sample.load.missing:
        return sample.load
    advice = state.advice
    return evolve(sample.load, target=advice.target, why=advice.why, work=None, offers=None)


def _view(state: State, sample: Sample) -> View:
    size = sample.unit_size
    leaving = [u for u, flight in state.flights.items() if flight.kind in LEAVING and u in sample.by_id]
    registered = sample.by_state.get("registered", 0)
    registered -= sum(sample.by_id[unit].state == "registered" for unit in leaving)
    gone = set(leaving)
    waiting = [at for unit, at in state.launched_at.items() if unit not in gone]
    return View(
        sample.at,
        sample.load,
        registered * size,
        tuple(at for at in waiting for _ in range(size)) if size > 1 else tuple(waiting),
        state.startups,
        state.minimum,
        state.maximum,
        (state.rules.wait_count - 1) * state.rules.interval,
    )
