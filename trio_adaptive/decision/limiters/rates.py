"""How fast the size may change: workers, or a share of them, in a period; and how many units may be starting at once.

The rule is that of Kubernetes' HorizontalPodAutoscaler (``behavior.scaleUp.policies``): the size at the beginning of the
period follows from the present one and what was changed since, and each rate says how far from it one may go. A rate
keeps the size from moving; it never moves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import evolve

from trio_adaptive.decision.limiters.passage import Passage, up_to
from trio_adaptive.decision.limits import Change, Limits, Rate, RateChoice
from trio_adaptive.decision.model import Action, Cancel, Drain, Launch, Recall
from trio_adaptive.decision.state import State


def rates(passage: Passage) -> tuple[Passage, str]:
    """No faster than the rates allow."""
    limits, active = passage.limits, passage.facts.active
    if passage.n > active and limits.rate_up:
        reached = {rate: max(active, _up_to(passage, rate)) for rate in limits.rate_up}
        rate = _chosen(limits.rate_choice, reached)
        return passage.slowed(0, reached[rate]), f"grows by at most {rate.words}"
    if passage.n < active and limits.rate_down:
        # Turned round, so that the loosest is the largest in either direction.
        reached = {rate: -min(active, _down_to(passage, rate)) for rate in limits.rate_down}
        rate = _chosen(limits.rate_choice, reached)
        return passage.slowed(-reached[rate], math.inf), f"shrinks by at most {rate.words}"
    return passage, ""


def launching(passage: Passage) -> tuple[Passage, str]:
    """No more units starting at once than ``max_launching``; those that are recalled do not start."""
    facts, most = passage.facts, passage.limits.max_launching
    if passage.n <= facts.active or math.isinf(most):
        return passage, ""
    room = max(0, int(most) - facts.launching)
    why = f"{facts.launching} starting, at most {most:g} at once"
    return passage.slowed(0, facts.active + facts.recallable + room), why


def _chosen(choice: RateChoice, reached: dict[Rate, int]) -> Rate:
    pick = max if choice == "loosest" else min
    return pick(reached, key=lambda rate: (reached[rate], rate.words))


def _up_to(passage: Passage, rate: Rate) -> int:
    start = passage.facts.active - sum(change.added for change in _since(passage, rate))
    if rate.percent:  # a share of nothing would never begin
        return start + max(1, math.ceil(_share(start, rate)))
    return start + max(1, int(up_to(passage.state, rate.amount)))


def _down_to(passage: Passage, rate: Rate) -> int:
    start = passage.facts.active + sum(change.removed for change in _since(passage, rate))
    if rate.percent:
        return start - max(1, math.ceil(_share(start, rate)))
    return start - max(1, int(up_to(passage.state, rate.amount)))


def _share(start: int, rate: Rate) -> float:
    # 15 % of 20 is 3, not 3.0000000000000004.
    return round(start * rate.amount / 100, 9)


def _since(passage: Passage, rate: Rate) -> Iterable[Change]:
    begin = passage.facts.at - rate.period
    return (change for change in passage.state.memory.changes if change.at > begin)


def remember(state: State, at: float, actions: Iterable[Action]) -> State:
    """The state with what was just decided, for as long as a rate needs it."""
    period = _longest(state.rules.limits)
    if not period:
        return state
    added = removed = 0
    for action in actions:
        if isinstance(action, Launch | Recall):
            added += len(action.units)
        elif isinstance(action, Drain) or (isinstance(action, Cancel) and not action.ended):
            removed += len(action.units)
    if not added and not removed:
        return state
    kept = (change for change in state.memory.changes if change.at > at - period)
    changes = (*kept, Change(at, added, removed))
    return evolve(state, memory=evolve(state.memory, changes=changes))


def _longest(limits: Limits) -> float:
    return max((rate.period for rate in (*limits.rate_up, *limits.rate_down)), default=0.0)
