"""Jobs of two worker processes: they may come late, and they come and go as one."""

from __future__ import annotations

import pytest
from gallery_jobs import Queue, jobs
from gallery_scenes import a_dask_scene, given_back, looks, observed, outcomes, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

FORTY = ([f"t{i}" for i in range(40)], [0.02] * 40)
ONCE = dict.fromkeys(FORTY[0], 1)
QUICK = {"interval": 0.1, "idle_timeout": 0.3, "target_duration": 0.2}


async def test_jobs_that_come_late_are_waited_for(counting):
    """dask/distributed#7019, dask/distributed#9102."""
    queue = Queue(delay=2.0)
    async with a_dask_scene(jobs(queue)) as scene, adaptive(scene.cluster, maximum=4, **QUICK) as scaler:
        await scene.gather(scene.client.map(counting.task(), *FORTY, pure=False))
        assert counting.executions == ONCE

        def ended():  # one that comes so late that all is done is called off
            return [*outcomes(scaler, "drain"), *outcomes(scaler, "cancel")]

        await until_so(scaler, lambda: len(ended()) == 2)
        assert {outcome.result for outcome in ended()} == {"done"}
        assert len(queue.jobs) == max(queue.sizes) == 2


async def test_the_idle_sibling_of_a_busy_process_stays(counting):
    """dask/distributed#1632: an idle process of the job was retired, and the batch system ended the whole job."""
    queue = Queue()
    async with a_dask_scene(jobs(queue)) as scene, adaptive(scene.cluster, minimum=4, **QUICK) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        await scaler.wait_for(4)
        future = scene.client.submit(counting.gated_task(), "t", pure=False)
        await counting.wait(1)
        scaler.set_limits(minimum=0)
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 1)
        await looks(scaler, 10)
        assert [job.over for job in queue.jobs].count(True) == 1
        counting.open_gate()
        assert await scene.gather(future) == "t"
        assert counting.executions == {"t": 1}
        del future  # whose value has to stay somewhere
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 2)
        assert {outcome.result for outcome in outcomes(scaler, "drain")} == {"done"}


async def test_bounds_between_whole_jobs_neither_churn_nor_buy_half_a_job(counting):
    """dask/dask-jobqueue#498: with a maximum of 3 jobs came and went, and tasks were run again."""
    queue = Queue()
    options = QUICK | {"minimum": 1, "maximum": 3}
    async with a_dask_scene(jobs(queue)) as scene, adaptive(scene.cluster, **options) as scaler:
        await scene.gather(scene.client.map(counting.task(), *FORTY, pure=False))
        assert counting.executions == ONCE
        await looks(scaler, 10)  # idle by now
        assert queue.sizes == [1]
        assert given_back(scaler) == []
        assert observed(scaler) == 1
