"""Turns the calendar into events: the decision knows no wall clock, so it is told which windows are open.

The wall clock may be set, and the machine may sleep: so it is looked at again after a while, however far away the next
window is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import anyio
from attrs import define, field

from trio_adaptive.decision.limits import Window
from trio_adaptive.decision.model import SetSchedule
from trio_adaptive.schedules import Schedule

LONGEST_SLEEP: Final = 30.0
"""Seconds after which the wall clock is looked at again."""

wall_clock = time.time
"""Seconds since 1970."""


@define
class Calendar:
    """Tells which windows are open, whenever that has changed.

    Attributes:
        schedules: all of them.
        send: takes the event; must not block.
        told: the windows that are known to be open.
    """

    schedules: tuple[Schedule, ...]
    send: Callable[[SetSchedule], None]
    told: tuple[Window, ...] = ()
    _changed: anyio.Event = field(factory=anyio.Event, init=False)

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self.tell()
            with anyio.move_on_after(self._pause()):
                await self._changed.wait()
                self._changed = anyio.Event()

    def change(self, schedules: tuple[Schedule, ...]) -> None:
        """Go by these from now on."""
        self.schedules = schedules
        self._changed.set()

    def _pause(self) -> float | None:
        """Seconds until the next look at the wall clock; None where there is nothing to look for."""
        if not self.schedules:
            return None
        now = _now()
        coming = min(schedule.next_change(now) for schedule in self.schedules)
        return min((coming - now).total_seconds(), LONGEST_SLEEP)

    def tell(self) -> None:
        """Tell now, where there is something new."""
        now = _now()
        windows = tuple(schedule.window for schedule in self.schedules if schedule.is_open(now))
        if windows != self.told:
            self.told = windows
            self.send(SetSchedule(anyio.current_time(), windows))


def _now() -> datetime:
    return datetime.fromtimestamp(wall_clock(), UTC)
