"""Many tasks of which nobody knows how long they take."""

from __future__ import annotations

import anyio
import pytest
from gallery_scenes import a_scene, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]


def asked_for(scaler):
    """What the load asked for at each look, before any limit: what would have been started on a large machine."""
    return [record.decision.raw for record in scaler.history if record.kind == "sample" and record.decision]


def measured(scaler):
    """Whether an execution has been measured."""
    return scaler.sample is not None and scaler.sample.load.work.finished > 0


async def test_a_thousand_short_ones_ask_for_five_workers_before_the_first_is_measured(counting):
    """It asked for 100, and three would do."""
    async with (
        a_scene() as scene,
        adaptive(scene.cluster, policy="adaptive", maximum=2, interval=0.1, log_length=10_000) as scaler,
    ):
        futures = scene.client.map(counting.task(), [f"t{i}" for i in range(1000)], [0.05] * 1000)
        await until_so(scaler, lambda: measured(scaler))
        asked = asked_for(scaler)
        known = next(i for i, n in enumerate(asked) if n > 0)
        assert max(asked[:-1]) <= 5
        assert asked[known] > 0
        del futures


async def test_long_ones_are_not_overshot(counting):
    """dask/distributed#3516, ten times as fast: 200 tasks of 4 s to be done in 6 s want 134 workers, and never 187."""
    options = {"policy": "adaptive", "maximum": 2, "interval": 0.1, "target_duration": 6.0}
    async with a_scene() as scene, adaptive(scene.cluster, log_length=10_000, **options) as scaler:
        futures = scene.client.map(counting.task(), [f"t{i}" for i in range(200)], [4.0] * 200)
        await until_so(scaler, lambda: measured(scaler))
        await anyio.sleep(1)  # part of the scene: looks at which the duration is known
        assert 1 <= max(asked_for(scaler)) <= 134 * 1.1
        del futures
