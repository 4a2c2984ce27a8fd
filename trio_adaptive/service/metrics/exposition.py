"""The answer to a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

import anyio.lowlevel
import anyio.to_thread
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.service.metrics.collector import PREFIX, FleetCollector
from trio_adaptive.service.metrics.snapshot import Snapshot, snapshot

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""The text format that every version of Prometheus reads."""


async def exposition(scalers: Mapping[str, Adaptive]) -> bytes:
    """The metrics of these clusters and of this process, as text.

    Freezing one scaler takes microseconds, and other tasks come in between two of them. Making text of a thousand takes a
    second of computing, so that it happens in a thread, and adapting goes on meanwhile.
    """
    snapshots: list[Snapshot] = []
    for cluster, scaler in list(scalers.items()):
        snapshots.append(snapshot(cluster, scaler))
        await anyio.lowlevel.checkpoint()
    return await anyio.to_thread.run_sync(text_of, snapshots)


def text_of(snapshots: list[Snapshot]) -> bytes:
    """The metrics of these snapshots and of this process, as text."""
    # A registry of its own for each scrape: nothing is kept, and nothing of others' comes in.
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Build())
    registry.register(FleetCollector(snapshots))
    return generate_latest(registry)


class _Build(Collector):
    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            f"{PREFIX}build_info", "1, with the version of this program.", labels=("version",)
        )
        family.add_metric((version("trio-adaptive"),), 1.0)
        return [family]
