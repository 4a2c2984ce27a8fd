"""Tasks that ask for more than a free thread: what they buy, what they do not, and how that is told."""

from __future__ import annotations

import pytest
from gallery_scenes import (
    a_scene,
    a_stranger,
    dask_workers,
    given_back,
    launched,
    looks,
    observed,
    outcomes,
    until_so,
)

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"interval": 0.1, "idle_timeout": 0.3}


async def test_tasks_that_no_worker_could_run_buy_none_and_are_named(counting, caplog):
    """dask/distributed#2118, dask/distributed#1851."""
    keys = [f"t{i}" for i in range(200)]
    async with a_scene() as scene, adaptive(scene.cluster, maximum=5, **OPTIONS) as scaler:
        futures = scene.client.map(counting.task(), keys, [0] * 200, resources={"GPU": 1})
        await until_so(scaler, lambda: scaler.statistics().blocked)
        await looks(scaler, 10)
        [blocked] = scaler.statistics().blocked
        assert blocked == "200 tasks need GPU=1, which no worker has and no new one would have"
        assert (launched(scaler), scaler.statistics().wanted) == (0, 0)
        assert caplog.text.count("GPU=1") == 1  # said once
        del futures
        await until_so(scaler, lambda: not scaler.statistics().blocked)


async def test_tasks_that_a_new_worker_can_run_buy_it(counting):
    """dask/distributed#2118: what is held back above is not held back for its resource."""
    template = dask_workers("--resources", "GPU=1")
    async with a_scene(template) as scene, adaptive(scene.cluster, maximum=2, **OPTIONS) as scaler:
        futures = scene.client.map(counting.task(), ["t1", "t2"], [0, 0], resources={"GPU": 1})
        assert await scene.gather(futures) == ["t1", "t2"]
        assert counting.executions == {"t1": 1, "t2": 1}
        assert not any(r.decision.load.blocked for r in scaler.history if r.decision is not None)


async def test_a_task_that_nobody_can_run_keeps_no_idle_worker(counting):
    async with a_scene() as scene, adaptive(scene.cluster, minimum=4, **OPTIONS) as scaler:
        await scene.until_running(4)
        future = scene.client.submit(counting.task(), "t", 0, resources={"GPU": 1})
        await until_so(scaler, lambda: scaler.statistics().blocked)
        scaler.set_limits(minimum=0)
        await until_so(scaler, lambda: observed(scaler) == 0)
        await looks(scaler, 5)
        assert "1 task needs GPU=1" in scaler.statistics().blocked[0]
        assert (launched(scaler), scaler.statistics().counts.plan) == (4, 0)
        # Somebody brings a worker that can.
        async with a_stranger(scene, "with-gpu", "--resources", "GPU=1"):
            assert await scene.gather(future) == "t"
            await until_so(scaler, lambda: not scaler.statistics().blocked)


async def test_tasks_that_only_the_first_worker_can_run_buy_no_others(counting):
    """dask/distributed#4471, dask/distributed#5599: up 10, down 8, up 6..."""
    keys = [f"t{i}" for i in range(20)]
    options = OPTIONS | {"maximum": 10, "target_duration": 0.1, "strangers": "adopt"}
    async with a_scene() as scene, a_stranger(scene, "first", "--resources", "FIRST=1"):
        futures = scene.client.map(counting.task(), keys, [0.1] * 20, resources={"FIRST": 1})
        async with adaptive(scene.cluster, **options) as scaler:
            await counting.wait(20)
            assert (launched(scaler), given_back(scaler)) == (0, [])
            assert await scene.gather(futures) == keys
            assert counting.executions == dict.fromkeys(keys, 1)
            del futures
            await until_so(scaler, lambda: observed(scaler) == 0)
            assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"]
            assert launched(scaler) == 0
