"""Who leaves and why these, in words: a line for each unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trio_adaptive.decision.amounts import bytes_in_words, counted
from trio_adaptive.decision.model import Action, Cancel, Drain, Sample, UnitId
from trio_adaptive.decision.state import State

LINES: Final = 100
"""How many are told of one decision: records are kept, and ten thousand lines are read by nobody."""


def chosen_in_words(before: State, sample: Sample, actions: Iterable[Action], now: float) -> tuple[str, ...]:
    """A line for each unit that is given back, such as ``"adaptive-1: idle for 12.1 s, 3.0 MiB stored"``.

    Args:
        before: the state in which these were chosen, which knows since when they have been named.
        sample: the look that they were chosen by.
        actions: what is done; units that have ended by themselves are only cleaned up and not told of.
        now: when it was decided.
    """
    leaving: list[UnitId] = []
    for action in actions:
        if isinstance(action, Drain) or (isinstance(action, Cancel) and not action.ended):
            leaving += action.units
    lines = [f"{unit}: {_about(unit, before, sample, now)}" for unit in leaving[:LINES]]
    return (*lines, f"and {len(leaving) - LINES} more") if len(leaving) > LINES else tuple(lines)


def _about(unit_id: UnitId, before: State, sample: Sample, now: float) -> str:
    unit = sample.by_id[unit_id]
    parts: list[str] = []
    if unit.state != "registered":
        parts.append("has not registered")
    elif unit.idle is not None:
        parts.append(f"idle for {unit.idle:.1f} s")
    elif unit.executing:
        parts.append(f"{counted(unit.executing, 'task')} to finish")
    if not unit.ours:
        parts.append("not part of the plan")
    if unit.idle is None and unit_id in before.nominations:
        parts.append(f"superfluous for {now - before.nominations[unit_id].since:.1f} s")
    if unit.stored:
        parts.append(f"{bytes_in_words(unit.stored)} stored")
    return ", ".join(parts) or "superfluous"
