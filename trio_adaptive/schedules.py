"""Stretches of the calendar that begin and end as cron says, in a time zone.

Cron's own rules are those of Debian's, by way of ``cronsim``: a time that a change of the clocks leaves out comes when it
would have come, one that is there twice comes once. The moments that are asked about are aware datetimes; nobody reads a
clock here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from attrs import frozen
from cronsim import CronSim

from trio_adaptive.decision.limits import Window


@frozen
class Schedule:
    """A window that opens and closes again and again, and what holds while it is open.

    Attributes:
        start: when it opens, as a cron expression of five fields, such as ``"0 8 * * mon-fri"``.
        end: when it closes, likewise. A window that begins in the evening may end in the morning.
        timezone: what clock both go by, such as ``"Europe/Berlin"``.
        minimum: at least so many workers while it is open; None where it says nothing of that.
        maximum: at most so many workers.
    """

    start: str
    end: str
    timezone: str = "UTC"
    minimum: int | None = None
    maximum: int | None = None

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this moment: it ends before it begins again."""
        return self._next(self.end, at) < self._next(self.start, at)

    def next_change(self, at: datetime) -> datetime:
        """The first moment after this one at which it opens or closes, or would if it had not already."""
        return min(self._next(self.start, at), self._next(self.end, at))

    @property
    def window(self) -> Window:
        """It as the decision knows it."""
        words = f"{self.start} to {self.end}, {self.timezone}"
        return Window(words, self.minimum, self.maximum)

    def _next(self, cron: str, at: datetime) -> datetime:
        # In UTC: two times of one zone are compared by what its clock shows, which need not be in order. When it shows
        # an hour for the second time, what came in the first is offered once more.
        times = CronSim(cron, at.astimezone(ZoneInfo(self.timezone)))
        return next(time for each in times if (time := each.astimezone(UTC)) > at)
