"""The cluster object no longer hears of its workers."""

from __future__ import annotations

import anyio
import pytest
from gallery_scenes import a_dask_scene, observed, threads, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

INTERVAL = 2.0


async def test_the_true_state_is_known_and_mended_within_two_intervals():
    """dask/distributed#1857: 0 workers, and 2 in the cluster's books, for ever."""
    options = {"minimum": 2, "maximum": 2, "interval": INTERVAL, "min_interval": 0.05}
    async with a_dask_scene(threads()) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        before = list(scene.cluster.workers.values())

        def replaced():
            return observed(scaler) == 2 and not set(before) & set(scene.cluster.workers.values())

        await scene.on_loop(scene.cluster._watch_worker_status_comm.close)
        for worker in before:
            await scene.on_loop(worker.close)
        with anyio.fail_after(2 * INTERVAL):
            await until_so(scaler, replaced)
        assert await scene.gather(scene.client.submit(lambda: 1, pure=False)) == 1
