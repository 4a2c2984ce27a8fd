"""A worker process dies without a word."""

from __future__ import annotations

import asyncio
import os
import signal

import anyio
import dask
import pytest
from gallery_jobs import Queue, jobs, single_processes
from gallery_scenes import a_dask_scene, a_scene, looks, observed, outcomes, threads, until_so

from trio_adaptive import adaptive
from trio_adaptive.decision.model import Launch

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

INTERVAL = 4.0


async def test_a_killed_worker_is_replaced_within_two_intervals(counting):
    """Where a ``SpecCluster`` waits for 15 seconds, its ``lost-worker-timeout``, the process itself tells us."""
    options = {"minimum": 2, "maximum": 2, "interval": INTERVAL, "min_interval": 0.05}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        await scene.until_running(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        before = dict(scene.cluster.pids)
        unit, victim = next(iter(before.items()))
        killed = anyio.current_time()
        os.kill(victim, signal.SIGKILL)
        with anyio.fail_after(2 * INTERVAL):
            await until_so(scaler, lambda: unit not in scene.cluster.pids and observed(scaler) == 2)
        launches = [
            record.decision
            for record in scaler.history
            if record.decision is not None and any(isinstance(a, Launch) for a in record.decision.actions)
        ]
        assert launches[-1].at - killed < 2 * INTERVAL
        await scene.until_running(2)
        assert await scene.gather(scene.client.submit(lambda: "works", pure=False)) == "works"
        [survivor] = before.items() & scene.cluster.pids.items()
        assert survivor[0] != unit


async def test_a_job_whose_processes_have_gone_is_replaced():
    """As after its time has run out (dask/dask-jobqueue#122): nothing tells the cluster object, which counts on it."""
    queue = Queue()
    options = {"minimum": 2, "maximum": 2, "interval": 0.1}
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "500ms"}):
        async with a_dask_scene(jobs(queue)) as scene, adaptive(scene.cluster, **options) as scaler:
            await scaler.wait_for(2)
            await scene.on_loop(queue.jobs[0].kill)
            await until_so(scaler, lambda: len(queue.jobs) == 2)
            await scaler.wait_for(2)
            assert [job.over for job in queue.jobs] == [True, False]
            assert list(scene.cluster.workers.values()) == queue.jobs[1:]


async def test_a_worker_that_comes_back_under_its_name_was_not_lost():
    """dask/distributed#3088; the name is a number, and text on the command line: dask/distributed#2949."""
    queue = Queue()
    options = {"minimum": 1, "maximum": 1, "interval": 0.1, "idle_timeout": 0.2}
    async with a_dask_scene(single_processes(queue)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 1)
        [job] = queue.jobs
        await scene.on_loop(job.kill)
        await until_so(scaler, lambda: observed(scaler) == 0)
        await looks(scaler, 3)
        await scene.on_loop(job.run)
        await until_so(scaler, lambda: observed(scaler) == 1)
        assert queue.jobs == [job]
        scaler.set_limits(minimum=0, maximum=0)
        await until_so(scaler, lambda: outcomes(scaler, "drain"))
        assert outcomes(scaler, "drain")[0].result == "done"
        assert job.over


async def test_when_all_are_lost_at_once_all_are_replaced():
    """dask/distributed#3168."""
    options = {"minimum": 3, "maximum": 3, "interval": 0.1}
    async with a_dask_scene(threads()) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 3)
        before = set(scene.cluster.workers.values())

        async def end():
            await asyncio.gather(*[worker.close() for worker in before])

        await scene.on_loop(end)
        await until_so(
            scaler, lambda: observed(scaler) == 3 and not before & set(scene.cluster.workers.values())
        )
