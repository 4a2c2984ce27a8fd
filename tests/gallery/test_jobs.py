"""Jobs of two worker processes: they come late, and they come and go as one."""

from __future__ import annotations

import anyio
import pytest
from gallery_jobs import Queue, job_cluster
from gallery_scenes import observed, outcomes, until_so
from real_dask import LIMIT, a_client

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

FORTY = ([f"t{i}" for i in range(40)], [0.02] * 40)
ONCE = dict.fromkeys(FORTY[0], 1)
QUICK = {"interval": 0.1, "idle_timeout": 0.3, "target_duration": 0.2}


async def gather(client, futures):
    return await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)


async def test_jobs_that_come_late_are_waited_for(counting):
    """dask/distributed#7019."""
    queue = Queue(delay=2.0)
    with anyio.fail_after(LIMIT):
        async with job_cluster(queue) as cluster, a_client(cluster.scheduler_address) as client:
            async with adaptive(cluster, maximum=4, **QUICK) as scaler:
                await gather(client, client.map(counting.task(), *FORTY, pure=False))
                assert counting.executions == ONCE
                await until_so(scaler, lambda: scaler.statistics().counts.plan == 0)
                assert outcomes(scaler, "drain")
                assert {outcome.result for outcome in outcomes(scaler, "drain")} == {"done"}
            assert len(queue.jobs) == 2
            assert max(queue.sizes) == 2
