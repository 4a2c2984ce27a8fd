"""Patience: a unit goes when it has been superfluous for long enough, not when it is so for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from trio_adaptive.decision.model import Unit, UnitId
from trio_adaptive.decision.state import Nomination, State


def nominate(
    state: State,
    named: Sequence[UnitId],
    units: Mapping[UnitId, Unit],
    now: float,
    *,
    ticks: bool,
    forced: int,
) -> tuple[State, tuple[UnitId, ...]]:
    """Count the units named now and forget the others; returns those whose time has come.

    Args:
        state: where the nominations so far are.
        named: the units that could leave now.
        units: all units, which show for how long they have been idle.
        now: when they were named.
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
    patience = state.patience - rules.interval / 10
    alike = rules.pending_timeout is None
    pending = state.pending_patience - rules.interval / 10
    # By identity: a few values stand for all units, and hashing them would take longer than all the rest.
    often = {id(n) for n in in_a_row}
    due = {id(n) for n in in_a_row if now - n.since >= patience}
    due_pending = {id(n) for n in in_a_row if now - n.since >= pending}
    going: list[UnitId] = []
    staying: dict[UnitId, Nomination] = {}
    for position, (unit, nomination) in enumerate(counted.items()):
        which = id(nomination)
        long_enough = due if alike or units[unit].state == "registered" else due_pending
        if which in long_enough or (which in often and (position < forced or _idle(units[unit]) >= patience)):
            going.append(unit)
        else:
            staying[unit] = nomination
    return evolve(state, nominations=staying), tuple(going)


def _idle(unit: Unit) -> float:
    # Whoever has been idle for long, after a hold for example, does not wait once more.
    return -1.0 if unit.idle is None else unit.idle


def forget(state: State) -> State:
    """Nobody is to leave: drop all nominations, and the question for more."""
    if not state.nominations and state.question is None:
        return state
    return evolve(state, nominations={}, question=None)
