"""dask-jobqueue's SLURMCluster on a real Slurm: jobs of two workers each come and go whole."""

from __future__ import annotations

import pytest

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")

from job_scenes import BRISK, a_job_scene

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.backends]


async def test_jobs_come_for_the_work_and_go_with_it(slurm, counting, tmp_path):
    async with a_job_scene(slurm, slurm.wide, tmp_path) as scene:
        async with adaptive(scene.cluster, maximum=3, **BRISK) as scaler:
            assert await scene.jobs() == {}
            task = counting.task()
            keys = [f"task-{number}" for number in range(60)]
            futures = scene.client.map(task, keys, seconds=0.2, pure=False)
            assert await scene.gather(futures) == keys
            assert 1 <= len(await scene.jobs()) <= 3
            del futures
            await scene.until_jobs()
            assert counting.executions == dict.fromkeys(keys, 1)
            print(scaler.log, scaler.statistics())
