"""What tests of the metrics share: a scaler that has lived through something, and its metrics as values."""

from __future__ import annotations

import anyio
from prometheus_client.parser import text_string_to_metric_families

from trio_adaptive import adaptive
from trio_adaptive.service.metrics.exposition import text_of
from trio_adaptive.service.metrics.snapshot import snapshot
from trio_adaptive.testing import FakeCluster


def values_of(text):
    """By name and labels: ``values["trio_adaptive_workers", "default", "busy"]``."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def lived():
    """Snapshots of two clusters: one that grew to three, and one that has only begun."""
    busy, young = FakeCluster(5, startup=2, name="busy"), FakeCluster(0, name="young")
    async with adaptive(busy, minimum=1, maximum=3) as first, adaptive(young, policy="fixed:2") as second:
        await first.wait_for(3)
        await second.wait_for(2)
        first.request(2, for_=60)
        busy.kill(busy.ids()[0])
        await anyio.sleep(10)
        return [snapshot("first", first), snapshot("second", second)]


async def an_exposition():
    """All metrics that there are, as text."""
    return text_of(await lived())
