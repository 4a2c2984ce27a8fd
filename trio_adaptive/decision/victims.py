"""Which units leave: a total order, so that the same input always names the same units; whole units only."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from trio_adaptive.decision.model import Unit, UnitId, WorkerName
from trio_adaptive.decision.state import Nomination, State


def newest_first(units: Sequence[Unit]) -> list[Unit]:
    """Pending units in the order in which they are taken back: the ones asked for last go first.

    Adapters list units in the order of asking. A unit that has waited longest is nearest to its turn in a queue.
    """
    return list(reversed(units))


def whole_units(suggested: Sequence[WorkerName], candidates: Sequence[Unit]) -> list[UnitId]:
    """Units all of whose workers are suggested, in the order in which the last of them was suggested."""
    owners = {worker: unit for unit in candidates for worker in unit.workers}
    missing = {unit.id: len(unit.workers) for unit in candidates}
    complete: list[UnitId] = []
    for worker in dict.fromkeys(suggested):
        if (unit := owners.get(worker)) is not None:
            missing[unit.id] -= 1
            if not missing[unit.id]:
                complete.append(unit.id)
    return complete


def nominate(
    state: State, named: Sequence[UnitId], now: float, *, ticks: bool, forced: float
) -> tuple[State, tuple[UnitId, ...]]:
    """Count the units named now and forget the others; returns those whose time has come.

    Args:
        state: where the nominations so far are.
        named: the units that could leave now.
        now: the time of the look that named them.
        ticks: whether this was a tick of the interval. A look between two ticks forgets units but counts for none.
        forced: how many have to leave because the size is above the maximum: for the first so many of those named,
            being idle for long is no condition.
    """
    again = {before: evolve(before, count=before.count + ticks) for before in {*state.nominations.values()}}
    first = Nomination(since=now, count=int(ticks))
    nominations = state.nominations
    counted = {unit: again[nominations[unit]] if unit in nominations else first for unit in named}
    if not ticks:
        counted = {unit: nomination for unit, nomination in counted.items() if nomination.count}
        return evolve(state, nominations=counted), ()
    rules = state.rules
    in_a_row = [n for n in (first, *again.values()) if n.count >= rules.wait_count]
    # Ticks are only as exact as the timer that makes them: a hair's breadth is not worth waiting a tick more.
    long_enough = [n for n in in_a_row if now - n.since + rules.interval / 10 >= state.patience]
    # By identity: a few values stand for all units, and hashing them would take longer than all the rest.
    due_forced, due = {id(n) for n in in_a_row}, {id(n) for n in long_enough}
    going: list[UnitId] = []
    staying: dict[UnitId, Nomination] = {}
    for position, (unit, nomination) in enumerate(counted.items()):
        if id(nomination) in (due_forced if position < forced else due):
            going.append(unit)
        else:
            staying[unit] = nomination
    return evolve(state, nominations=staying), tuple(going)


def forget(state: State) -> State:
    """Nobody is to leave: drop all nominations, and the question for more."""
    if not state.nominations and state.question is None:
        return state
    return evolve(state, nominations={}, question=None)
