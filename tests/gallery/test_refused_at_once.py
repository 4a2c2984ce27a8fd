"""What no cluster can do is refused in one error, before anything is asked of it."""

from __future__ import annotations

import threading
from functools import partial

import distributed
import pytest
from distributed.deploy.spec import SpecCluster
from gallery_jobs import SCHEDULER, Queue, jobs
from gallery_scenes import a_dask_scene, a_scene, looks, observed, threads, until_so

from trio_adaptive import ConfigurationError, adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]


async def refused(cluster, **options):
    """The one mistake for which it is refused."""
    with pytest.raises(ConfigurationError) as caught:
        async with adaptive(cluster, **options):
            pytest.fail("it started")
    [mistake] = caught.value.mistakes
    return mistake


async def test_bounds_that_no_whole_job_meets():
    """dask/dask-jobqueue#498: endless coming and going of half jobs."""
    queue = Queue()
    async with a_dask_scene(jobs(queue)) as scene:
        mistake = await refused(scene.cluster, minimum=1, maximum=1)
        assert "1 to 1 workers, and workers come 2 at a time" in str(mistake)
        assert queue.jobs == []


async def test_bounds_in_cores_and_memory_become_workers():
    """dask/distributed#3509, as ``SpecCluster.adapt`` has it: 3 cores of 2 each are two workers."""
    opening = threads(memory_limit="2 GB")
    bounds = {"minimum_cores": 2, "maximum_memory": "7 GB", "maximum": 9, "interval": 0.05}
    async with a_dask_scene(opening) as scene, adaptive(scene.cluster, **bounds) as scaler:
        assert (scaler.statistics().minimum, scaler.statistics().maximum) == (2, 3)
        await until_so(scaler, lambda: observed(scaler) == 2)
        scaler.request(9)
        await until_so(scaler, lambda: observed(scaler) == 3)
        await looks(scaler, 5)
        assert observed(scaler) == 3


async def test_a_maximum_below_one_worker():
    """dask/distributed#3509: a maximum of 0, and no word."""
    async with a_dask_scene(threads(memory_limit="2 GB")) as scene:
        mistake = await refused(scene.cluster, maximum_memory="1 GB")
        assert mistake.path == "maximum_memory"
        assert "less than one worker" in str(mistake)
        assert scene.cluster.workers == {}


def key_with_a_lock():
    lock = threading.Lock()

    def key(worker):
        with lock:
            return worker.host

    return key


@pytest.mark.parametrize("kind", ["object", "processes"])
async def test_a_worker_key_that_cannot_be_sent_to_the_scheduler(kind):
    """dask/distributed#2064."""
    async with a_dask_scene(threads()) if kind == "object" else a_scene() as scene:
        mistake = await refused(scene.cluster, worker_key=key_with_a_lock())
        assert mistake.path == "worker_key"
        assert "cannot be sent to the scheduler" in str(mistake)
        assert "lock" in str(mistake)


async def test_a_cluster_object_that_cannot_grow():
    """One with a fixed specification."""
    workers = {"a": {"cls": distributed.Worker, "options": {"nthreads": 1}}}
    async with a_dask_scene(partial(SpecCluster, workers, SCHEDULER)) as scene:
        mistake = await refused(scene.cluster)
        assert mistake.path == "cluster"
        assert "no specification of new workers" in str(mistake)
