"""What a drain is told: which workers, on which terms, and whom to tell."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from attrs import frozen

from trio_adaptive.decision.model import Lost

Halt: TypeAlias = Callable[[], Awaitable[None]]
"""Stops a unit's processes where they are, as SIGSTOP does."""


@frozen
class Leave:
    """How one unit's workers are to leave the scheduler.

    Attributes:
        addresses: of its workers, which leave together.
        only_idle: refuse where they have work.
        deadline: when they have to go, on the event loop's clock.
        close: whether the scheduler closes them. Otherwise they stay, empty and without new tasks, for the resource
            manager to end: where it starts again what has ended by itself, they must not end first.
        halt: how to stop them in the middle of a task; None where that is beyond us.
        commit: called at the point of no return.
        forced: called with what it has cost when they were made to go.
    """

    addresses: Sequence[str]
    commit: Callable[[], None]
    forced: Callable[[Lost], None]
    only_idle: bool = False
    deadline: float = math.inf
    close: bool = True
    halt: Halt | None = None
