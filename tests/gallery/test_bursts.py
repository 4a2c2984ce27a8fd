"""Bursts of work with short pauses between them."""

from __future__ import annotations

import anyio
import pytest
from gallery_scenes import a_scene, given_back, launched, observed, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

PAUSE = 1.0
"""Seconds; part of the scene, and no wait for anything."""

BURST = ([f"t{i}" for i in range(16)], [0.05] * 16)


async def test_pauses_shorter_than_the_idle_timeout_cost_no_worker(counting):
    """dask/dask-jobqueue#701."""
    async with (
        a_scene() as scene,
        adaptive(scene.cluster, maximum=3, interval=0.2, idle_timeout=3, target_duration=0.2) as scaler,
    ):
        await scene.gather(scene.client.map(counting.task(), *BURST, pure=False))
        # How many there are is the policy's to say.
        await until_so(scaler, lambda: 0 < observed(scaler) == launched(scaler))
        workers = set(scene.cluster.pids.values())
        for _ in range(2):
            await anyio.sleep(PAUSE)
            await scene.gather(scene.client.map(counting.task(), *BURST, pure=False))
        assert given_back(scaler) == []
        assert workers <= set(scene.cluster.pids.values())
        # What is idle for longer does leave.
        await until_so(scaler, lambda: observed(scaler) == 0)
        assert len({unit for d in given_back(scaler) for a in d.actions for unit in a.units}) == launched(
            scaler
        )
