"""What a cluster's scaler has done since the service began, as stories: what `why` tells, without a journal on disk."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from trio_adaptive.decision.model import Event, Record
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.stories import Decided, Story, Teller, about

KEPT: Final = 500
"""So many of the latest stories are kept."""

SLACK: Final = 100
"""By so many more it may grow until the oldest go, since taking from the front of a list costs its length."""


class Chronicle:
    """Listens to one scaler.

    Attributes:
        run: tells this run's records from those of one before.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.run = secrets.token_hex(3)
        self._clock = clock
        self._teller = Teller()

    def take(self, event: Event, record: Record) -> None:
        """Hear of what has happened."""
        self._teller.add(Entry(self._clock(), event, record))
        if len(self._teller.stories) > KEPT + SLACK:
            del self._teller.stories[:-KEPT]

    def stories(self, last: int, worker: str | None = None) -> list[Story]:
        """The latest ones, oldest first.

        Args:
            last: at most so many.
            worker: only of this worker, or unit, and only what concerns it.
        """
        told = self._teller.stories
        if worker is not None:
            told = [story for each in told if (story := about(each, worker)) is not None]
        return told[-last:]


def decided_at(records: list[tuple[float, Record]], at: float) -> Decided | None:
    """What was decided on the last look up to a time; None where that is not known any more.

    Args:
        records: with their times, oldest first.
        at: seconds since the epoch, as theirs.
    """
    for when, record in reversed(records):
        if when <= at and record.kind == "sample" and record.decision is not None:
            return Decided(when, record.decision)
    return None
