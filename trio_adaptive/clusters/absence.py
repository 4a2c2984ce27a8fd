"""Telling a worker that has been lost from one that is on its way, and from one that is away for a moment.

A nanny starts its worker again under the same name, and one that lost its line comes back (dask/distributed#3088). So
whoever has not closed is waited for, for as long as Dask's own clusters do it.
"""

from __future__ import annotations

from collections.abc import Collection

from attrs import define, field

from trio_adaptive.clusters.plans import Planned
from trio_adaptive.decision.model import WorkerName


@define
class Absences:
    """Since when nobody of an entry is there, of those that were there once.

    Attributes:
        patience: how long one that has not closed is waited for, in seconds.
    """

    patience: float
    _last_seen: dict[str, float] = field(factory=dict[str, float])

    def note(self, plan: Collection[Planned], registered: frozenset[WorkerName], now: float) -> None:
        """Take in one look: who is there now, and who is no longer planned."""
        here = {planned.key for planned in plan if not registered.isdisjoint(planned.workers)}
        keys = {planned.key for planned in plan}
        kept = {key: seen for key, seen in self._last_seen.items() if key in keys}
        self._last_seen = kept | dict.fromkeys(here, now)

    def is_lost(self, planned: Planned, now: float) -> bool:
        """Whether an entry of which nobody is there will not come back by itself."""
        seen = self._last_seen.get(planned.key)
        if seen is None:
            return False
        return planned.ended or not planned.requested or now - seen >= self.patience
