"""Data and workers: an empty cluster that data is scattered into, and a small result that keeps no crowd."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest
from gallery_scenes import a_scene, a_scene_at, dask_workers, launched, looks, observed, until_so
from real_dask import FORBIDDEN, a_scheduler_without_us, until

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.3}


def scatter_waits(dask_scheduler):
    from trio_adaptive.dask.probe.facts import under_way  # noqa: PLC0415 - runs in the scheduler

    return bool(under_way("Scheduler.scatter"))


scatter_waits.__module__ = "__main__"  # so that it is sent by value


async def test_data_scattered_into_an_empty_cluster_brings_a_worker_and_keeps_it():
    """dask/distributed#6686, dask/distributed#2454."""
    async with a_scene() as scene, adaptive(scene.cluster, maximum=3, **OPTIONS) as scaler:
        await looks(scaler, 1)
        assert observed(scaler) == 0
        kept = await scene.scatter([41])
        await looks(scaler, 10)
        assert (observed(scaler), launched(scaler)) == (1, 1)
        assert await scene.gather(kept) == [41]
        del kept
        await until_so(scaler, lambda: observed(scaler) == 0)


async def test_data_that_waited_before_adapting_began_brings_a_worker():
    """dask/distributed#6686; as after ``cluster.adapt()``, which returns before the first look."""
    kept = []

    async def scatter(scene):
        kept.extend(await scene.scatter([41]))

    async with a_scene() as scene, anyio.create_task_group() as tasks:
        tasks.start_soon(scatter, scene)
        await until(lambda: anyio.to_thread.run_sync(scene.client.run_on_scheduler, scatter_waits))
        async with adaptive(scene.cluster, maximum=3, **OPTIONS) as scaler:
            await until_so(scaler, lambda: kept)
            assert launched(scaler) == 1
            assert await scene.gather(kept) == [41]


async def test_a_worker_that_is_asked_for_is_there_to_scatter_to(tmp_path):
    """dask/distributed#6686; on any scheduler."""
    async with (
        a_scheduler_without_us(tmp_path, FORBIDDEN) as address,
        a_scene_at(address) as scene,
        adaptive(scene.cluster, maximum=3, **OPTIONS) as scaler,
    ):
        scaler.request(1, for_="5 min")
        await scaler.wait_for(1)
        kept = await scene.scatter([41])
        assert await scene.gather(kept) == [41]
        assert launched(scaler) == 1


async def test_a_tiny_result_keeps_one_of_four_workers():
    """dask/distributed#4397: without a memory limit upstream keeps them all."""
    template = dask_workers("--memory-limit", "0")
    async with a_scene(template) as scene, adaptive(scene.cluster, minimum=4, **OPTIONS) as scaler:
        await scene.until_running(4)
        result = scene.client.submit(lambda: 41, pure=False)
        assert await scene.gather(result) == 41
        scaler.set_limits(minimum=0)
        await until_so(scaler, lambda: observed(scaler) == 1)
        await looks(scaler, 10)
        assert (observed(scaler), launched(scaler)) == (1, 4)
        assert result.status == "finished"
        assert await scene.gather(scene.client.submit(lambda x: x + 1, result, pure=False)) == 42
