"""The maximum is lowered while all workers are busy."""

from __future__ import annotations

import pytest
from gallery_scenes import a_scene, observed, outcomes, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

KEYS = ["t1", "t2", "t3", "t4"]


async def test_busy_workers_finish_first_and_every_task_runs_once(counting):
    """dask/distributed#3863."""
    async with a_scene() as scene, adaptive(scene.cluster, minimum=4, maximum=4, interval=0.1) as scaler:
        await scene.until_running(4)
        futures = scene.client.map(counting.gated_task(), KEYS, pure=False)
        await counting.wait(4)
        scaler.set_limits(minimum=1, maximum=1)
        await until_so(scaler, lambda: scaler.statistics().counts.draining == 3)
        assert observed(scaler) == 4
        counting.open_gate()
        assert await scene.gather(futures) == KEYS
        await until_so(scaler, lambda: observed(scaler) == 1)
        assert counting.executions == dict.fromkeys(KEYS, 1)
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 3)
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"] * 3
        assert len(scene.cluster.pids) == 1
