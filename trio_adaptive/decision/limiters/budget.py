"""A budget: worker-hours that may be used in any period of a given length.

What was used is counted in pieces of a `PIECES`th of the period, each of which counts until all of it is a period old, so
that no period ever holds more than the sum. The size is capped so that what is left lasts for a `SHARE`th of the period
at least: ``cap = left / (period / SHARE)``. So the size comes down gently instead of falling to nothing, and what is left is
never used up. Growing again takes twice as much, so that the cap and the spending do not chase each other. Where the whole
budget would not last that long for a few units, it has to last for `FEW` of them, so that a small budget is spent as well.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import evolve, frozen

from trio_adaptive.decision.limiters.passage import Passage
from trio_adaptive.decision.limits import Spending
from trio_adaptive.decision.model import Sample
from trio_adaptive.decision.state import State

PIECES: Final = 60
"""In how many pieces of time a period is counted."""

SHARE: Final = 24
"""What is left lasts for at least this share of a period."""

FEW: Final = 4
"""So many units may be there while nothing of the budget is used, however small it is."""

HOUR: Final = 3600.0


@frozen
class BudgetStatistics:
    """How the budget stands.

    Attributes:
        hours: worker-hours that may be used in a period.
        period: its length, in seconds.
        used: worker-hours used in the last period.
        burn_rate: how fast it is being used now; at 1 the period's end would use up exactly all of it.
    """

    hours: float
    period: float
    used: float
    burn_rate: float


def budget_statistics(state: State) -> BudgetStatistics | None:
    """How the budget stands; None where there is none, or nothing has been seen yet."""
    limits, spending = state.rules.limits, state.memory.spending
    if math.isinf(limits.budget) or spending is None:
        return None
    hours, period = limits.budget, limits.budget_period
    return BudgetStatistics(hours, period, spending.used / HOUR, spending.paid / (hours * HOUR / period))


def spend(state: State, sample: Sample) -> State:
    """The state after the time since the last look has been paid; it counts as what that look showed."""
    limits = state.rules.limits
    if math.isinf(limits.budget):
        return state
    by_state = sample.by_state
    units = by_state.get("requested", 0) + by_state.get("registered", 0) + by_state.get("leaving", 0)
    paid = units * sample.unit_size
    before = state.memory.spending or Spending(sample.at, paid)
    length = limits.budget_period / PIECES
    pieces = _paid_until(before, sample.at, length)
    oldest = math.floor(sample.at / length) - PIECES
    kept = tuple(piece for piece in pieces if piece[0] >= oldest)
    return evolve(state, memory=evolve(state.memory, spending=Spending(sample.at, paid, kept)))


def _paid_until(before: Spending, at: float, length: float) -> list[tuple[int, float]]:
    """The pieces with what was paid up to this time; a stretch that reaches over several is divided among them."""
    pieces = dict(before.pieces)
    begin = max(before.at, at - (PIECES + 1) * length)  # what was earlier is forgotten anyway
    number = math.floor(begin / length)
    while begin < at:
        end = max(begin, min(at, (number + 1) * length))
        pieces[number] = pieces.get(number, 0.0) + before.paid * (end - begin)
        begin, number = end, number + 1
    return list(pieces.items())


def budget(passage: Passage) -> tuple[Passage, str]:
    """No larger than what is left of the budget pays for during a share of the period."""
    limits, spending, active = passage.limits, passage.state.memory.spending, passage.facts.active
    if math.isinf(limits.budget) or spending is None:
        return passage, ""
    left = max(0.0, limits.budget * HOUR - spending.used)
    size = passage.state.unit_size
    lasting = min(limits.budget_period / SHARE, limits.budget * HOUR / (FEW * size))
    stays = int(left / lasting) // size
    grows = max(min(stays, active), stays // 2)
    why = f"{spending.used / HOUR:.3g} of {limits.budget:g} worker-hours are used"
    return passage.clamped(0, grows), why
