"""Data that only some workers hold."""

from __future__ import annotations

import anyio.to_thread
import pytest
from gallery_scenes import a_dask_scene, a_scene, observed, outcomes, threads, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]


async def test_the_last_copy_with_nobody_to_take_it_keeps_its_worker():
    """The worker is told to go and nobody can take its data: dask/distributed#4069 for one worker."""
    async with a_scene() as scene, adaptive(scene.cluster, minimum=1, maximum=1, interval=0.1) as scaler:
        await scene.until_running(1)
        pids = scene.cluster.pids
        [kept] = await scene.scatter([41])
        scaler.set_limits(minimum=0, maximum=0)
        await until_so(scaler, lambda: outcomes(scaler, "drain"))
        refusal = outcomes(scaler, "drain")[0]
        assert refusal.result == "refused"
        assert "data" in refusal.detail
        scaler.set_limits(minimum=1, maximum=1)
        assert await scene.gather(kept) == 41
        assert await scene.gather(scene.client.submit(lambda x: x + 1, kept, pure=False)) == 42
        assert scene.cluster.pids == pids
        assert {outcome.result for outcome in outcomes(scaler, "drain")} <= {"refused", "recalled"}


@pytest.mark.parametrize("road", ["maximum", "hold", "idle", "on_exit"])
async def test_nine_scattered_values_survive_the_way_from_three_workers_to_one(road):
    """dask/distributed#4069."""
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "idle_timeout": 0.3}
    if road == "on_exit":
        options |= {"minimum": 1, "on_exit": "minimum", "shutdown_timeout": 20}
    async with a_scene() as scene:
        async with adaptive(scene.cluster, **options) as scaler:
            if road == "on_exit":
                scaler.request(3)
            await scene.until_running(3)
            await until_so(scaler, lambda: observed(scaler) == 3)
            futures = await scene.scatter(list(range(9)))
            holders = await scene.cluster._link.ask("has_what")
            assert [len(keys) for keys in holders.values()] == [3, 3, 3]
            if road == "maximum":
                scaler.set_limits(minimum=1, maximum=1)
            elif road == "hold":
                scaler.set_limits(minimum=0)
                scaler.hold(1)
            elif road == "idle":  # the scheduler itself asks for as many as the data needs
                scaler.set_limits(minimum=0)
            if road != "on_exit":
                await until_so(scaler, lambda: observed(scaler) == 1)
        assert len(scene.cluster.pids) == 1
        assert [future.status for future in futures] == ["finished"] * 9
        assert await scene.gather(futures) == list(range(9))


@pytest.mark.parametrize("road", ["maximum", "hold", "idle"])
async def test_nine_scattered_values_survive_in_a_cluster_object(road):
    """dask/distributed#4069, dask/distributed#4532, dask/distributed#5577."""
    options = {"minimum": 3, "maximum": 3, "interval": 0.1, "idle_timeout": 0.3}
    async with a_dask_scene(threads(3)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 3)
        futures = await anyio.to_thread.run_sync(scene.client.scatter, list(range(9)))
        assert [len(worker.data) for worker in scene.cluster.workers.values()] == [3, 3, 3]
        if road == "maximum":
            scaler.set_limits(minimum=1, maximum=1)
        else:
            scaler.set_limits(minimum=0)
            scaler.hold(1 if road == "hold" else None)
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 2)
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"] * 2
        assert [future.status for future in futures] == ["finished"] * 9
        assert await scene.gather(futures) == list(range(9))
