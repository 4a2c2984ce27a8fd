"""Amounts in plain words."""

from __future__ import annotations

from typing import Final

from trio_adaptive.decision.model import Lost

KIBI: Final = 1024


def counted(n: int, noun: str) -> str:
    """``"1 task"``, ``"3 tasks"``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def bytes_in_words(n: int) -> str:
    """``"512 B"``, ``"3.0 MiB"``; the unit is the largest that leaves a number of at least 1."""
    if n < KIBI:
        return f"{n} B"
    amount = float(n)
    for prefix in "KMGT":
        amount /= KIBI
        if amount < KIBI:
            return f"{amount:.1f} {prefix}iB"
    return f"{amount / KIBI:.1f} PiB"


def lost_in_words(lost: Lost) -> str:
    """What a forced end has cost, such as ``"1 task begins again, 12.0 task-seconds were lost"``."""
    parts: list[str] = []
    if lost.tasks:
        verb = "begins" if lost.tasks == 1 else "begin"
        tasks = f"{counted(lost.tasks, 'task')} {verb} again"
        parts.append(f"{tasks}, {lost.task_seconds:.1f} task-seconds were lost")
    if lost.bytes:
        parts.append(f"{bytes_in_words(lost.bytes)} of results are computed again")
    return ", ".join(parts) or "nothing was lost"
