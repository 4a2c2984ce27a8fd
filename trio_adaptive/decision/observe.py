"""Taking the world in before deciding: what a sample and an outcome change in what is believed."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from trio_adaptive.decision.lifecycle import time_out
from trio_adaptive.decision.model import ActionName, Outcome, Result, Sample, Unit, UnitId
from trio_adaptive.decision.refusals import forgive, refused
from trio_adaptive.decision.retries import failed, registered
from trio_adaptive.decision.state import Flight, FlightKind, State

ENDED_BY: Mapping[ActionName, frozenset[FlightKind]] = {
    "launch": frozenset({"launch"}),
    "cancel": frozenset({"cancel"}),
    "drain": frozenset({"drain", "recall", "leave"}),
    "recall": frozenset({"recall"}),
}
"""Which flights an outcome speaks of. A launch of many may end after one of its units has begun to be cleaned up."""

BACK: frozenset[Result] = frozenset({"refused", "recalled"})
"""Ends of a drain that put the unit back into service; after any other end, the next look decides."""


def observe(state: State, sample: Sample) -> State:
    """The state after a look: flights that have landed, start-up times, failures, refusals, what has expired."""
    state = forgive(time_out(_register(_land(state, sample), sample), sample), sample)
    nominations = state.nominations
    if nominations and nominations.keys() - sample.by_id.keys():
        nominations = {u: n for u, n in nominations.items() if u in sample.by_id}
    floors = state.floors
    if floors:
        floors = tuple(floor for floor in floors if floor.until > sample.at)
    hold = state.hold if state.hold is None or state.hold.until > sample.at else None
    return evolve(state, sample=sample, nominations=nominations, floors=floors, hold=hold)


def _land(state: State, sample: Sample) -> State:
    ending = [(u, f) for u, f in state.flights.items() if f.settled is not None or f.kind == "launch"]
    return state.without_flights({u for u, f in ending if _is_over(f, sample, shown=u in sample.by_id)})


def _is_over(flight: Flight, sample: Sample, *, shown: bool) -> bool:
    if flight.settled is None:
        # A launch is visible from its first moment on, so the unit itself says all that there is to say.
        return flight.kind == "launch" and shown
    # Both at the same moment: the look may have been the first.
    if flight.kind == "launch":
        return shown or sample.begun > flight.settled
    return not shown or sample.begun > flight.settled


def _register(state: State, sample: Sample) -> State:
    if not state.launched_at:
        return state
    startups: list[float] = []
    waiting: dict[UnitId, float] = {}
    broken: list[Unit] = []
    for unit_id, since in state.launched_at.items():
        unit = sample.by_id.get(unit_id)
        if unit is None:
            if unit_id in state.flights:
                waiting[unit_id] = since
        elif unit.state == "registered":
            startups.append(sample.at - since)
        elif unit.state == "failed":
            broken.append(unit)
        else:
            waiting[unit_id] = since
    state = evolve(state, launched_at=waiting)
    if startups:
        state = registered(state, startups)
    return failed(state, sample.at, broken[-1].detail) if broken else state


def landed(state: State, outcome: Outcome) -> State:
    """The state after an action has ended: settled until a later look shows it, or given up at once."""
    if outcome.action == "launch" and outcome.result != "done":
        # What did start is in the next look; what did not is simply missing from it.
        state = failed(state, outcome.at, outcome.detail)
    if outcome.action == "drain" and outcome.result == "refused":
        state = refused(state, outcome)
    flights = dict(state.flights)
    for unit in outcome.units:
        flight = flights.get(unit)
        if flight is None or flight.kind not in ENDED_BY[outcome.action]:
            continue
        if outcome.action == "drain" and outcome.result in BACK:
            del flights[unit]
        else:
            flights[unit] = _after(flight, outcome)
    return evolve(state, flights=flights)


def _after(flight: Flight, outcome: Outcome) -> Flight:
    if outcome.action == "recall":
        return evolve(flight, kind="leave")
    if outcome.action == "drain":
        return evolve(flight, kind="leave", settled=outcome.at)
    return evolve(flight, settled=outcome.at)
