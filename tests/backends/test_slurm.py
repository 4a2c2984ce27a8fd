"""dask-jobqueue's SLURMCluster on a real Slurm: jobs of two workers each come and go whole."""

from __future__ import annotations

import os
from functools import partial

import anyio
import dask
import pytest

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")

from debian_packages import program
from job_scenes import BRISK, a_job_cluster, a_job_scene
from real_dask import until

from trio_adaptive import Adaptive, adaptive
from trio_adaptive.clusters import opened
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ConfigurationError
from trio_adaptive.testing import check_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.backends]


# What both backends do in the same way is played once: each real job takes its time.
only_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)


def keys(n):
    return [f"task-{number}" for number in range(n)]


async def looks(scaler, n):
    """Wait for so many more looks at the cluster."""
    goal = scaler.statistics().samples + n

    async def looked():
        return scaler.statistics().samples >= goal

    await until(looked)


async def test_jobs_come_for_the_work_and_go_with_it(slurm, counting, tmp_path):
    async with (
        a_job_scene(slurm, slurm.wide, tmp_path) as scene,
        adaptive(scene.cluster, maximum=6, **BRISK) as scaler,
    ):
        await looks(scaler, 3)
        assert await scene.history() == {}
        futures = scene.client.map(counting.task(), keys(60), seconds=0.1, pure=False)
        await scene.until_jobs("RUNNING", "RUNNING", "RUNNING")
        assert await scene.gather(futures) == keys(60)
        del futures
        await scene.until_jobs()
        assert counting.executions == dict.fromkeys(keys(60), 1)
        assert len(await scene.history()) == 3


async def test_a_queue_that_holds_jobs_back_is_not_sent_more(slurm, counting, tmp_path):
    async with (
        a_job_scene(slurm, slurm.narrow, tmp_path) as scene,
        adaptive(scene.cluster, minimum=2, maximum=6, **BRISK) as scaler,
    ):
        futures = scene.client.map(counting.gated_task(), keys(40), pure=False)
        await scene.until_jobs("RUNNING", "PENDING", "PENDING")
        await counting.wait(2)
        await looks(scaler, 15)
        assert len(await scene.history()) == 3
        counting.open_gate()
        assert await scene.gather(futures) == keys(40)
        del futures
        await scene.until_jobs("RUNNING")
        assert sorted((await scene.history()).values()) == ["CANCELLED", "CANCELLED", "RUNNING"]
        assert counting.executions == dict.fromkeys(keys(40), 1)


@only_trio
async def test_a_job_that_is_cancelled_from_outside_is_replaced(slurm, counting, tmp_path):
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1 s"}):
        async with (
            a_job_scene(slurm, slurm.wide, tmp_path) as scene,
            adaptive(scene.cluster, maximum=4, **BRISK),
        ):
            futures = scene.client.map(counting.gated_task(), keys(20), pure=False)
            await counting.wait(4)
            [victim, survivor] = await scene.jobs()
            await anyio.to_thread.run_sync(slurm.cancel, victim)

            async def replaced():
                jobs = await scene.jobs()
                return victim not in jobs and list(jobs.values()) == ["RUNNING"] * 2

            await until(replaced)
            assert survivor in await scene.jobs()

            async def busy_again():
                return sum(counting.executions.values()) == 6

            await until(busy_again)
            counting.open_gate()
            assert await scene.gather(futures) == keys(20)
            del futures
            await scene.until_jobs()
            # Two were under way in the job that was cancelled; nothing else ran twice.
            assert sorted(counting.executions.values()) == [1] * 18 + [2] * 2


@only_trio
async def test_a_submission_that_slurm_refuses_leaves_nothing(slurm, tmp_path):
    async with (
        a_job_scene(slurm, "nowhere", tmp_path) as scene,
        adaptive(scene.cluster, maximum=6, retry_delay=0.2, **BRISK) as scaler,
    ):
        future = scene.client.submit(abs, -1)

        async def refused_again():
            return scaler.statistics().failures >= 3

        await until(refused_again)
        assert "invalid partition" in scaler.statistics().last_error
        future.cancel()

        async def forgotten():
            return not scene.cluster.worker_spec and not scene.cluster.workers

        await until(forgotten)
        assert await scene.history() == {}


@only_trio
async def test_a_job_that_is_called_off_while_it_is_being_submitted_is_cancelled(
    slurm, tmp_path, monkeypatch
):
    """A busy controller takes seconds to accept a job, which has no number until then."""
    begun, gate, slow = tmp_path / "begun", tmp_path / "gate", tmp_path / "sbatch"
    real = program("sbatch")
    slow.write_text(
        f'#!/bin/sh\ntouch {begun}\nwhile ! [ -e {gate} ]; do sleep 0.05; done\nexec {real} "$@"\n'
    )
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    unit = UnitId("called-off")
    async with (
        a_job_scene(slurm, slurm.wide, tmp_path) as scene,
        opened(scene.cluster) as port,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(port.launch, [unit])

        async def submitting():
            return begun.exists()

        await until(submitting)
        await port.cancel([unit])
        assert await port.look(refresh=True) == ()
        assert await scene.history() == {}
        gate.touch()

        async def cancelled():
            return list((await scene.history()).values()) == ["CANCELLED"]

        await until(cancelled)


@only_trio
@pytest.mark.parametrize("processes", [2, None], ids=["as given", "by default"])
async def test_bounds_are_met_in_whole_jobs(slurm, tmp_path, processes):
    async with a_job_scene(slurm, slurm.wide, tmp_path, processes) as scene:
        with pytest.raises(ConfigurationError, match="workers come 2 at a time"):
            Adaptive(scene.cluster, minimum=3, maximum=3)
        async with adaptive(scene.cluster, minimum=3, maximum=5, **BRISK) as scaler:
            scene.client.map(abs, range(100), pure=False)
            await scaler.wait_for(4)
            assert list((await scene.history()).values()) == ["RUNNING"] * 2
            assert [(unit.size, unit.ours) for unit in scaler.sample.units] == [(2, True)] * 2
            scaler.set_limits(minimum=0)
            await scene.until_jobs()
            assert len(await scene.history()) == 2


@only_trio
async def test_it_keeps_every_rule_of_the_port(slurm, tmp_path):
    await check_cluster(partial(a_job_cluster, slurm.wide, tmp_path))
