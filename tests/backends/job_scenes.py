"""A SLURMCluster in a scaler's hands, made in the way of each backend, and what to ask of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import sniffio
from attrs import frozen
from dask_jobqueue import SLURMCluster
from real_dask import a_client, until

LIMIT = 60.0  # seconds for one test; a job's workers take one or two to come

PROCESSES = 2

BRISK = {"interval": 0.2, "wait_count": 2, "idle_timeout": 0.4}
"""Decisions in the time that a test has."""


@frozen
class Scene:
    """A Slurm, a Dask cluster without any jobs so far, and a client."""

    slurm: object
    cluster: object
    client: object

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)

    async def jobs(self):
        return await anyio.to_thread.run_sync(self.slurm.jobs)

    async def until_jobs(self, *states):
        """Wait until the queue has exactly jobs in these states."""

        async def so():
            return sorted((await self.jobs()).values()) == sorted(states)

        await until(so)


@asynccontextmanager
async def a_job_cluster(queue, folder):
    """On asyncio on the program's own loop; on trio with its loop in a thread, as scripts have it."""
    make = partial(
        SLURMCluster,
        queue=queue,
        cores=PROCESSES,
        processes=PROCESSES,
        memory="600 MB",
        walltime="00:10:00",
        interface="lo",
        log_directory=str(folder),
        local_directory=str(folder),
        death_timeout=60,
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
        worker_extra_args=["--no-dashboard"],
    )
    if sniffio.current_async_library() == "asyncio":
        async with make(asynchronous=True) as cluster:
            yield cluster
        return
    cluster = await anyio.to_thread.run_sync(make)
    try:
        yield cluster
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(cluster.close)


@asynccontextmanager
async def a_job_scene(slurm, queue, folder):
    with anyio.fail_after(LIMIT):
        async with a_job_cluster(queue, folder) as cluster, a_client(cluster.scheduler_address) as client:
            yield Scene(slurm, cluster, client)
        await Scene(slurm, None, None).until_jobs()
