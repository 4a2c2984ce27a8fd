"""Units that have refused to leave, and are left alone for a while."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from trio_adaptive.decision.model import Outcome, Sample, Unit, UnitId
from trio_adaptive.decision.state import Refusal, State, free_units

FIRST_PAUSE: Final = 1.0
"""Seconds until a unit that has refused is asked again: doubled with each refusal."""

LONGEST_PAUSE: Final = 60.0


def refused(state: State, outcome: Outcome) -> State:
    """The state after these units have refused to leave."""
    refusals = dict(state.refusals)
    for unit_id in outcome.units:
        count = refusals[unit_id].count + 1 if unit_id in refusals else 1
        pause = min(FIRST_PAUSE * 2.0 ** min(count - 1, 60), LONGEST_PAUSE)
        unit = None if state.sample is None else state.sample.by_id.get(unit_id)
        idle = unit is not None and unit.idle is not None
        busy = unit is not None and unit.executing > 0
        why = (outcome.detail.splitlines() or ["it refused to leave"])[0]
        refusals[unit_id] = Refusal(count, outcome.at, outcome.at + pause, why, idle, busy)
    return evolve(state, refusals=refusals)


def forgive(state: State, sample: Sample) -> State:
    """Forget the refusals of units that work again, that have come to rest, or have gone."""
    if not state.refusals:
        return state
    units = sample.by_id
    kept = {
        unit_id: _shortened(refusal) if _has_changed(units[unit_id], refusal) else refusal
        for unit_id, refusal in state.refusals.items()
        if unit_id in units
    }
    return evolve(state, refusals={u: r for u, r in kept.items() if r.count or r.until > sample.at})


def _shortened(refusal: Refusal) -> Refusal:
    # Not to nothing: what a look tells of a unit may be older than its refusal, and it would be asked at each look.
    return evolve(refusal, count=0, until=min(refusal.until, refusal.at + FIRST_PAUSE))


def _has_changed(unit: Unit, refusal: Refusal) -> bool:
    if refusal.busy:  # not at every pause between two tasks
        return unit.idle is not None and unit.idle >= FIRST_PAUSE
    return unit.executing > 0 or (refusal.idle and unit.idle is None)


def resting(state: State, now: float) -> set[UnitId]:
    """Units that are not asked again yet."""
    return {unit for unit, refusal in state.refusals.items() if refusal.until > now}


def candidates(state: State, sample: Sample, now: float) -> list[Unit]:
    """Registered units that may be asked to leave, in the order of the sample."""
    free = free_units(state, sample, "registered")
    left_alone = resting(state, now)
    return [unit for unit in free if unit.id not in left_alone] if left_alone else free


def unwelcome(state: State, sample: Sample) -> tuple[UnitId, ...]:
    """Workers that nobody planned and that are to go."""
    if state.rules.strangers != "retire":
        return ()
    busy = state.flights.keys() | resting(state, sample.at)
    return tuple(unit.id for unit in sample.units if not unit.ours and unit.id not in busy)


def resting_workers(state: State, sample: Sample, now: float) -> int:
    """How many workers are in units that are not asked again yet."""
    return sum(len(sample.by_id[unit].workers) for unit in resting(state, now) if unit in sample.by_id)


def who_stays(state: State, now: float) -> str:
    """In words, who is not asked again yet and why; empty where there is nobody."""
    units = sorted(resting(state, now))
    if not units:
        return ""
    more = f", and {len(units) - 1} more stay" if len(units) > 1 else ""
    return f"{units[0]} stays: {state.refusals[units[0]].why}{more}"
