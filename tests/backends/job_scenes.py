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

BRISK = {"interval": 0.2, "wait_count": 2, "idle_timeout": 0.4, "target_duration": 0.1}
"""Decisions in the time that a test has, and a load that asks for all that there is."""


@frozen
class Scene:
    """A Slurm, a Dask cluster without any jobs so far, and a client.

    Attributes:
        earlier: numbers of the jobs that other tests have submitted.
    """

    slurm: object
    cluster: object
    client: object
    earlier: frozenset

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)

    async def jobs(self):
        return await anyio.to_thread.run_sync(self.slurm.jobs)

    async def history(self):
        """State by number of all jobs that have been submitted for this cluster."""
        jobs = await anyio.to_thread.run_sync(self.slurm.history)
        return {job: state for job, state in jobs.items() if job not in self.earlier}

    async def until_jobs(self, *states):
        """Wait until the queue has exactly jobs in these states."""

        async def so():
            return sorted((await self.jobs()).values()) == sorted(states)

        await until(so)


@asynccontextmanager
async def a_job_cluster(queue, folder, processes=PROCESSES):
    """On asyncio on the program's own loop; on trio with its loop in a thread, as scripts have it."""
    make = partial(
        SLURMCluster,
        queue=queue,
        cores=PROCESSES,
        **({} if processes is None else {"processes": processes}),
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
async def a_job_scene(slurm, queue, folder, processes=PROCESSES):
    """A scene that ends with an empty queue."""
    earlier = frozenset(await anyio.to_thread.run_sync(slurm.history))
    with anyio.fail_after(LIMIT):
        async with (
            a_job_cluster(queue, folder, processes) as cluster,
            a_client(cluster.scheduler_address) as client,
        ):
            scene = Scene(slurm, cluster, client, earlier)
            yield scene
        await scene.until_jobs()
