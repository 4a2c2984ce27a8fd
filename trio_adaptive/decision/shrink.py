"""Shrinking: whom to ask about, and who goes.

Units that have not registered go first, then those that the scheduler suggests; each once it has been named often
enough and for long enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from attrs import evolve, frozen

from trio_adaptive.decision.model import Action, Cancel, Drain, Sample, Suggest, UnitId, WorkerName
from trio_adaptive.decision.patience import forget, nominate
from trio_adaptive.decision.refusals import candidates, resting_workers, who_stays
from trio_adaptive.decision.state import Census, Question, State, free_units, units_for, untouched
from trio_adaptive.decision.victims import newest_first, whole_units

Step: TypeAlias = tuple[State, tuple[Action, ...], str]
"""The new state, what to do, and a note."""


@frozen
class Excess:
    """More units than there should be, as known when deciding.

    Attributes:
        sample: the latest look.
        census: how many units there are by it.
        final: how many there should be.
        at: when this is decided.
        ticks: whether it counts as a tick of patience.
    """

    sample: Sample
    census: Census
    final: int
    at: float
    ticks: bool

    def leavers(self, state: State) -> tuple[list[UnitId], int]:
        """The pending units to take back, and how many registered ones are to leave beside them."""
        # Who may turn out not to come is no reason for another one to go.
        number = max(0, self.census.active - self.census.doubtful - self.final)
        # Where the policy calls no start off, only a limiter does.
        wanted = units_for(state.advice.target, self.sample.unit_size)
        most = number if state.advice.cancels else max(0, wanted - self.final)
        pending = newest_first(free_units(state, self.sample, "requested"))[: min(number, most)]
        return [unit.id for unit in pending], number - len(pending)


def shrink(state: State, excess: Excess) -> Step:
    """Take back what is pending, and ask who else could go."""
    sample = excess.sample
    if not excess.ticks and not state.nominations:
        return state, (), ""
    pending, leave = excess.leavers(state)
    if not pending and not leave:
        return forget(state), (), f"{excess.census.doubtful} may not come, so none leaves yet"
    stays = who_stays(state, excess.at) if leave else ""
    if not leave or not candidates(state, sample, excess.at):
        state, actions, note = _close(evolve(state, question=None), excess, pending, ())
        return state, actions, note or stays
    if state.question is not None:
        asked = evolve(state.question, ticks=state.question.ticks or excess.ticks)
        return evolve(state, question=asked), (), "waiting for the scheduler's suggestion"
    number = state.questions_asked + 1
    state = evolve(state, question=Question(number, excess.ticks), questions_asked=number)
    # The scheduler may name workers that we do not touch, so it is asked for as many more.
    alone = untouched(state, sample) + resting_workers(state, sample, excess.at)
    return state, (Suggest(number, max(0, excess.final * sample.unit_size - alone)),), stays


def take_suggestion(state: State, excess: Excess, workers: Sequence[WorkerName]) -> Step:
    """Let go of the best of those that have been suggested."""
    pending, leave = excess.leavers(state)
    chosen = whole_units(workers, candidates(state, excess.sample, excess.at))[:leave]
    state, actions, note = _close(state, excess, pending, chosen)
    stays = who_stays(state, excess.at) if len(chosen) < leave else ""
    return state, actions, "; ".join(filter(None, (note, stays)))


def _close(state: State, excess: Excess, pending: Sequence[UnitId], registered: Sequence[UnitId]) -> Step:
    units = excess.sample.by_id
    named = [*pending, *registered]
    forced = int(max(0.0, excess.census.active - state.most))
    state, due = nominate(state, named, units, excess.at, ticks=excess.ticks, forced=forced)
    not_here, must = set(pending), set(named[:forced])
    cancelled = tuple(unit for unit in due if unit in not_here)
    drained = tuple(unit for unit in due if unit not in not_here)
    # The look is a moment old: who goes because it is idle has to be so still.
    idle = tuple(unit for unit in drained if unit not in must and units[unit].idle is not None)
    actions: list[Action] = []
    if cancelled:
        actions.append(Cancel(cancelled))
        state = state.with_flights(cancelled, "cancel", excess.at)
    if idle:
        actions.append(Drain(idle, only_idle=True))
    if anyhow := _without(drained, idle):
        actions.append(Drain(anyhow))
    if drained:
        state = state.with_flights(drained, "drain", excess.at)
    note = f"{len(state.nominations)} named to leave, not for long enough yet" if state.nominations else ""
    return state, tuple(actions), note


def _without(units: tuple[UnitId, ...], others: tuple[UnitId, ...]) -> tuple[UnitId, ...]:
    left_out = set(others)
    return tuple(unit for unit in units if unit not in left_out) if others else units
