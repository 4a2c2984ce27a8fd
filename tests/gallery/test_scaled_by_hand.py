"""A user scales the cluster object by hand while it is being adapted."""

from __future__ import annotations

import pytest
from gallery_scenes import a_dask_scene, looks, observed, outcomes, threads, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.5}


async def test_more_by_hand_count_work_and_leave_unharmed(counting):
    """dask/distributed#3610, dask/distributed#5080."""
    async with a_dask_scene(threads()) as scene, adaptive(scene.cluster, maximum=4, **OPTIONS) as scaler:
        scene.cluster.scale(3)
        await until_so(scaler, lambda: observed(scaler) == 3)
        keys = ["t0", "t1", "t2"]
        futures = scene.client.map(counting.gated_task(), keys, pure=False)
        await counting.wait(3)
        await looks(scaler, 10)
        assert observed(scaler) == 3
        counting.open_gate()
        assert await scene.gather(futures) == keys
        del futures
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 3)
        await until_so(scaler, lambda: scene.cluster.workers == scene.cluster.worker_spec == {})
        assert counting.executions == dict.fromkeys(keys, 1)
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"] * 3


async def test_more_by_hand_than_the_maximum_leave_again():
    """dask/distributed#3610."""
    options = OPTIONS | {"minimum": 1, "maximum": 2}
    async with a_dask_scene(threads(1)) as scene, adaptive(scene.cluster, **options) as scaler:
        scaler.request(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        scene.cluster.scale(4)
        await until_so(scaler, lambda: observed(scaler) == 4)
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 2)
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"] * 2
        await until_so(scaler, lambda: observed(scaler) == 2)
        assert len(scene.cluster.worker_spec) == 2


async def test_fewer_by_hand_than_the_minimum_come_back():
    """dask/distributed#3610: what upstream's ``scale`` closes may be lost, but nothing is stuck."""
    options = OPTIONS | {"minimum": 3, "maximum": 3}
    async with a_dask_scene(threads()) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 3)
        before = set(scene.cluster.workers.values())
        scene.cluster.scale(1)

        def replaced():
            return observed(scaler) == 3 and len(before & set(scene.cluster.workers.values())) == 1

        await until_so(scaler, replaced)
        assert len(scene.cluster.worker_spec) == 3
        assert await scene.gather(scene.client.submit(lambda: 1, pure=False)) == 1
