"""The chain between what the load asks for and what is done: each limiter names itself and says why.

One idea per file; `chain` has the order. A limiter takes a `Passage` and returns it with another number, and the reason.
All numbers are units. What a user says counts workers and becomes whole units here: maxima are rounded down, all others up.

Two kinds of limiters are told apart. What a *user* has said (pause, hold, request, schedule) is done to the letter: the
earlier in the chain, the stronger. What keeps the *load* from being followed too closely (stabilization, tolerance) only
keeps the size nearer to what it is, and never against what a user has said.
"""

from __future__ import annotations

from trio_adaptive.decision.limiters.budget import BudgetStatistics, budget_statistics, spend
from trio_adaptive.decision.limiters.chain import LIMITERS, limit
from trio_adaptive.decision.limiters.fallback import is_due, listen, silence
from trio_adaptive.decision.limiters.passage import Facts, Limited
from trio_adaptive.decision.limiters.rates import remember

__all__ = [
    "LIMITERS",
    "BudgetStatistics",
    "Facts",
    "Limited",
    "budget_statistics",
    "is_due",
    "limit",
    "listen",
    "remember",
    "silence",
    "spend",
]
