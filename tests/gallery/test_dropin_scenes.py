"""The same through the drop-in: ``cluster.adapt(Adaptive=Adaptive)``, on worker processes, in a program without async."""

from __future__ import annotations

import time

import distributed
import pytest
from gallery_jobs import Queue, single_processes
from real_dask import LIMIT

from trio_adaptive.dask import Adaptive

pytestmark = [pytest.mark.integration, pytest.mark.gallery]

KEYS = ["t1", "t2", "t3"]


def within(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def adapted():
    """A cluster and its client; the cluster is adapted by calling it with options."""
    with single_processes(Queue())() as cluster, distributed.Client(cluster) as client:

        def adapt(**options):
            return cluster.adapt(Adaptive=Adaptive, interval="100ms", **options)

        yield cluster, client, adapt


def test_a_lowered_maximum_runs_every_task_once(adapted, counting):
    """dask/distributed#3863."""
    cluster, client, adapt = adapted
    adapt(minimum=3, maximum=3)
    within(lambda: len(cluster.scheduler.running) == 3)
    futures = client.map(counting.gated_task(), KEYS, pure=False)
    within(lambda: len(counting.executions) == 3)
    adapting = adapt(minimum=1, maximum=1)
    within(lambda: adapting.statistics().counts.draining == 2)
    assert len(cluster.scheduler.workers) == 3
    counting.open_gate()
    assert client.gather(futures) == KEYS
    within(lambda: len(cluster.scheduler.workers) == 1)
    assert counting.executions == dict.fromkeys(KEYS, 1)
    assert [future.status for future in futures] == ["finished"] * 3


def test_data_scattered_into_nothing_brings_a_worker(adapted):
    """dask/distributed#6686."""
    cluster, client, adapt = adapted
    adapt(minimum=0, maximum=2)
    [kept] = client.scatter([41])
    assert kept.result() == 41
    assert len(cluster.scheduler.workers) == 1


def test_tasks_that_no_worker_could_run_are_named(adapted):
    """dask/distributed#2118; a cluster object that does not tell what its workers offer starts one to find out.

    It shows that no other one is worth starting, and leaves.
    """
    cluster, client, adapt = adapted
    adapting = adapt(minimum=0, maximum=5)
    futures = client.map(str, range(50), resources={"GPU": 1}, pure=False)
    within(lambda: adapting.statistics().blocked)
    assert "50 tasks need GPU=1" in adapting.statistics().blocked[0]
    within(lambda: not cluster.worker_spec)
    samples = adapting.statistics().samples
    within(lambda: adapting.statistics().samples > samples + 10)
    assert "no new one would have" in adapting.statistics().blocked[0]
    assert [entry["status"] for _, entry in adapting.log] == ["up", "down"]
    del futures
