"""Metrics of how the scaler itself is doing: its stage, the breaker, the lease, the journal."""

from __future__ import annotations

from typing import Final, get_args

from trio_adaptive.decision.retries import Breaker
from trio_adaptive.runtime.history import Stage
from trio_adaptive.service.metrics.metric import Metric, Values, one, which
from trio_adaptive.service.metrics.snapshot import Snapshot


def _journal(now: Snapshot) -> Values:
    return () if now.journal_lost is None else one(not now.statistics.journal)


HEALTH: Final = (
    Metric(
        "gauge",
        "stage",
        "1 for where in its life the scaler is; it adapts while it is running.",
        ("stage",),
        lambda now: which(now.statistics.stage, *get_args(Stage)),
    ),
    Metric(
        "gauge",
        "policy",
        "1 for the policy that finds the size.",
        ("policy",),
        lambda now: (((str(now.statistics.policy),), 1.0),),
    ),
    Metric(
        "gauge",
        "last_look_timestamp_seconds",
        "When the latest look was complete, in seconds since the epoch.",
        (),
        lambda now: one(now.sampled_at),
    ),
    Metric(
        "gauge",
        "interval_seconds",
        "Time between two looks when nothing happens.",
        (),
        lambda now: one(now.settings.interval),
    ),
    Metric(
        "gauge",
        "degraded",
        "Whether less is known, and less safe, than could be.",
        (),
        lambda now: one(bool(now.statistics.degraded)),
    ),
    Metric(
        "gauge",
        "breaker",
        "1 for the state of the breaker of launches.",
        ("state",),
        lambda now: which(now.statistics.breaker, *get_args(Breaker)),
    ),
    Metric(
        "gauge",
        "launch_failures_in_a_row",
        "Launches that have failed since the latest that succeeded.",
        (),
        lambda now: one(now.statistics.failures),
    ),
    Metric(
        "gauge",
        "startup_limit_seconds",
        "How long a unit may take to register before it is given up.",
        (),
        lambda now: one(now.statistics.startup_limit),
    ),
    Metric(
        "gauge",
        "lease_held",
        "Whether this is the cluster's one driver; absent where it has no lease to give.",
        (),
        lambda now: one(now.holds_lease),
    ),
    Metric(
        "gauge",
        "journal_writing",
        "Whether the journal is being written; absent where none is wanted.",
        (),
        _journal,
    ),
    Metric(
        "counter",
        "journal_lost_records_total",
        "Records that the journal had to leave out; absent where none is wanted.",
        (),
        lambda now: one(now.journal_lost),
    ),
)
