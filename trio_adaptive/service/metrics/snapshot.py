"""What one scaler tells at one moment, frozen, so that a thread may make text of it while adapting goes on."""

from __future__ import annotations

import time

import anyio
from attrs import frozen

from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Decision, Sample
from trio_adaptive.journal.ledger import LedgerSummary
from trio_adaptive.journal.tally import TallySummary
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.history import Statistics


@frozen
class Snapshot:
    """One scaler at one moment.

    Attributes:
        cluster: the name of its cluster.
        statistics: how it is doing; counts are units.
        tally: what has happened.
        cost: what has been paid.
        sample: the latest look; None before the first.
        decision: the latest decision on a look; None before the first.
        sampled_at: when that look was complete, in seconds since the epoch; None before the first.
        holds_lease: see `Adaptive.holds_lease`.
        journal_lost: see `Adaptive.journal_lost`.
        settings: its options.
    """

    cluster: str
    statistics: Statistics
    tally: TallySummary
    cost: LedgerSummary
    sample: Sample | None
    decision: Decision | None
    sampled_at: float | None
    holds_lease: bool | None
    journal_lost: int | None
    settings: Settings

    @property
    def unit_size(self) -> int:
        """Workers in a unit."""
        return self.statistics.unit_size


def snapshot(cluster: str, scaler: Adaptive) -> Snapshot:
    """Freeze what a scaler tells now; called from its event loop."""
    sample = scaler.sample
    age = None if sample is None else anyio.current_time() - sample.at
    return Snapshot(
        cluster=cluster,
        statistics=scaler.statistics(),
        tally=scaler.tally,
        cost=scaler.cost,
        sample=sample,
        decision=scaler.decision,
        sampled_at=None if age is None else time.time() - age,
        holds_lease=scaler.holds_lease,
        journal_lost=scaler.journal_lost,
        settings=scaler.settings,
    )
