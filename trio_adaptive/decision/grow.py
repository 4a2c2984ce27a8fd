"""Growing: who comes back from leaving, and how many are launched."""

from __future__ import annotations

from attrs import evolve

from trio_adaptive.decision.model import Action, Launch, Recall, Sample, UnitId
from trio_adaptive.decision.retries import allowed
from trio_adaptive.decision.state import Census, State


def grow(state: State, sample: Sample, census: Census, final: int) -> tuple[State, tuple[Action, ...], str]:
    """Towards ``final`` units: those on their way out first, since they work already; returns a note as well."""
    now = sample.at
    missing = final - census.active
    actions: list[Action] = []
    back = recallable(state, sample)[:missing]
    if back:
        actions.append(Recall(back))
        state = state.with_flights(back, "recall", now)
    room = max(0.0, min(state.most, state.share_units) - census.existing)
    number = int(min(missing - len(back), room))
    note = "" if number == missing - len(back) else "no room below the maximum until units have left"
    number, why = allowed(state, now, number)
    note = why or note
    if number:
        state, fresh = _name_units(state, number)
        actions.append(Launch(fresh))
        launched = {**state.launched_at, **dict.fromkeys(fresh, now)}
        state = evolve(state.with_flights(fresh, "launch", now), launched_at=launched)
    return state, tuple(actions), note


def recallable(state: State, sample: Sample) -> tuple[UnitId, ...]:
    """The units whose drain can be called off, those first whose drain began last: they have most work left to do."""
    # The dead are not recalled.
    drains = {u: f.begun for u, f in state.flights.items() if f.kind == "drain" and f.settled is None}
    if not drains:
        return ()
    units = sample.by_id
    unwanted = state.rules.strangers == "retire"
    alive = sorted(
        u for u in drains if u in units and units[u].state == "registered" and (units[u].ours or not unwanted)
    )
    # Stable: by name where the time is the same.
    return tuple(sorted(alive, key=drains.__getitem__, reverse=True))


def _name_units(state: State, number: int) -> tuple[State, tuple[UnitId, ...]]:
    first = state.units_named
    fresh = tuple(UnitId(f"{state.prefix}-{first + i}") for i in range(number))
    return evolve(state, units_named=first + number), fresh
