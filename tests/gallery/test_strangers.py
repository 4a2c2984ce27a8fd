"""Workers that register without having been planned."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import distributed
import pytest
from gallery_scenes import a_dask_scene, given_back, launched, looks, observed, outcomes, threads, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.3}


@asynccontextmanager
async def two_strangers(scene):
    """Two workers that somebody else has started."""

    async def start():
        address = scene.cluster.scheduler_address
        return [await distributed.Worker(address, name=f"stranger-{i}", nthreads=1) for i in range(2)]

    async def close():
        for worker in workers:
            await worker.close()

    workers = await scene.on_loop(start)
    try:
        yield workers
    finally:
        with anyio.CancelScope(shield=True):
            await scene.on_loop(close)


def results(scaler):
    """What became of the drains."""
    return [outcome.result for outcome in outcomes(scaler, "drain")]


async def test_adopted_they_serve_and_leave_like_all_others(counting):
    """dask/distributed#6801: 170 workers at a maximum of 64."""
    async with (
        a_dask_scene(threads()) as scene,
        two_strangers(scene) as workers,
        adaptive(scene.cluster, minimum=3, maximum=3, strangers="adopt", **OPTIONS) as scaler,
    ):
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert launched(scaler) == 1  # they count
        future = scene.client.submit(counting.gated_task(), "t", workers=["stranger-0"], pure=False)
        await counting.wait(1)
        scaler.set_limits(minimum=1, maximum=1)
        await until_so(scaler, lambda: observed(scaler) == 1)
        assert [worker.status.name for worker in workers] == ["running", "closed"]
        counting.open_gate()
        assert await scene.gather(future) == "t"
        assert counting.executions == {"t": 1}


async def test_retired_they_finish_and_leave_at_once(counting):
    """dask/distributed#6801."""
    there = {"workers": ["stranger-0"], "allow_other_workers": True}
    async with a_dask_scene(threads()) as scene, two_strangers(scene) as workers:
        future = scene.client.submit(counting.gated_task(), "t", pure=False, **there)
        await counting.wait(1)
        async with adaptive(scene.cluster, minimum=2, maximum=4, strangers="retire", **OPTIONS) as scaler:
            await until_so(scaler, lambda: launched(scaler) == 2)
            await until_so(scaler, lambda: workers[1].status.name == "closed")
            assert workers[0].status.name == "running"
            counting.open_gate()
            assert await scene.gather(future) == "t"
            await until_so(scaler, lambda: results(scaler).count("done") == 2)
            await until_so(scaler, lambda: observed(scaler) == 2)
            assert set(results(scaler)) <= {"done", "refused"}  # as long as nobody else is there for the work
            assert counting.executions == {"t": 1}


async def test_work_that_only_a_stranger_can_do_is_no_reason_to_ask_it_again_and_again(counting):
    async with a_dask_scene(threads()) as scene, two_strangers(scene) as workers:
        future = scene.client.submit(counting.gated_task(), "t", workers=["stranger-0"], pure=False)
        await counting.wait(1)
        async with adaptive(scene.cluster, minimum=2, maximum=4, strangers="retire", **OPTIONS) as scaler:
            await until_so(scaler, lambda: results(scaler).count("refused") == 2)
            counting.open_gate()
            first, second = [o.at for o in outcomes(scaler, "drain") if o.result == "refused"]
            assert second - first >= 1
            assert await scene.gather(future) == "t"
            await until_so(scaler, lambda: results(scaler).count("done") == 2)
            await until_so(scaler, lambda: {worker.status.name for worker in workers} == {"closed"})
            assert counting.executions == {"t": 1}


async def test_ignored_they_count_and_are_left_alone():
    """dask/distributed#6801."""
    async with (
        a_dask_scene(threads()) as scene,
        two_strangers(scene) as workers,
        adaptive(scene.cluster, minimum=3, maximum=3, strangers="ignore", **OPTIONS) as scaler,
    ):
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert launched(scaler) == 1
        scaler.set_limits(minimum=0, maximum=1)  # which they alone exceed
        await until_so(scaler, lambda: observed(scaler) == 2)
        await looks(scaler, 10)
        assert [worker.status.name for worker in workers] == ["running"] * 2
        assert len({unit for d in given_back(scaler) for a in d.actions for unit in a.units}) == 1
