"""The same scenes with distributed's own ``Adaptive``: what it does is put on record, not judged.

With ``--junitxml`` the records are properties of the test suite. The day one of them is mended is a good day.
"""

from __future__ import annotations

import time

import distributed
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.gallery]

BURST = ([f"t{i}" for i in range(16)], [0.05] * 16)


@pytest.fixture
def record(request, record_testsuite_property):
    """Keeps a line on this scene."""

    def keep(words):
        record_testsuite_property(f"upstream.{request.node.name.removeprefix('test_')}", words)

    return keep


@pytest.fixture
def local_cluster():
    def opening(**options):
        return distributed.LocalCluster(
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            **{"processes": False, **options},
        )

    return opening


def within(seconds, condition):
    """Whether it is so within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_lowered_maximum(counting, local_cluster, record):
    with local_cluster(n_workers=4, processes=True) as cluster, distributed.Client(cluster) as client:
        futures = client.map(counting.task(), ["t1", "t2", "t3", "t4"], [1.0] * 4, pure=False)
        assert within(20, lambda: len(counting.executions) == 4)
        cluster.adapt(minimum=1, maximum=1, interval="100ms")
        client.gather(futures)
        record(f"4 tasks were executed {sum(counting.executions.values())} times")


def test_bursts(counting, local_cluster, record):
    sizes = []
    with local_cluster(n_workers=0) as cluster, distributed.Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=3, interval="200ms", target_duration="200ms")
        for _ in range(3):
            client.gather(client.map(counting.task(), *BURST, pure=False))
            sizes.append(len(cluster.workers))
            time.sleep(1.0)  # the pause
            sizes.append(len(cluster.workers))
        record(f"workers after each burst and each pause: {sizes}")


def test_last_copy(local_cluster, record):
    with local_cluster(n_workers=1) as cluster, distributed.Client(cluster) as client:
        [kept] = client.scatter([41])
        cluster.adapt(minimum=0, maximum=0, interval="100ms")
        within(3, lambda: not cluster.scheduler.workers)
        within(1, lambda: kept.status != "finished")
        record(f"{len(cluster.scheduler.workers)} workers left, the key is {kept.status}")


def test_nine_values(local_cluster, record):
    with local_cluster(n_workers=3) as cluster, distributed.Client(cluster) as client:
        futures = client.scatter(list(range(9)))
        cluster.scale(1)
        within(5, lambda: len(cluster.scheduler.workers) == 1)
        within(1, lambda: any(future.status != "finished" for future in futures))
        finished = sum(future.status == "finished" for future in futures)
        record(f"{finished} of 9 left after scale(1)")


def test_failed_first_start(flaky_worker, local_cluster, record):
    with local_cluster(n_workers=0, worker_class=flaky_worker) as cluster:
        cluster.adapt(minimum=1, maximum=1, interval="100ms")
        within(2, lambda: cluster.scheduler.workers)
        record(f"{flaky_worker.attempts} attempts in 2 s, {len(cluster.scheduler.workers)} workers")


def test_scale_while_adapting(local_cluster, record):
    with local_cluster(n_workers=0) as cluster:
        cluster.adapt(minimum=0, maximum=4, interval="100ms")
        cluster.scale(2)
        begun = time.monotonic()
        within(3, lambda: len(cluster.plan) == 2)
        within(3, lambda: not cluster.plan)
        record(f"scale(2): {len(cluster.plan)} in the plan {time.monotonic() - begun:.1f} s later")


def test_broken_stream(local_cluster, record):
    with local_cluster(n_workers=0) as cluster:
        cluster.adapt(minimum=2, maximum=2, interval="100ms")
        assert within(5, lambda: len(cluster.observed) == 2)
        workers = list(cluster.workers.values())
        cluster.sync(cluster._watch_worker_status_comm.close)
        for worker in workers:
            cluster.sync(worker.close)
        within(2, lambda: cluster.scheduler.workers)
        record(
            f"{len(cluster.scheduler.workers)} workers after 2 s, {len(cluster.observed)} in the cluster's books"
        )


def test_slow_start(local_cluster, record, slow_first):
    with local_cluster(n_workers=0, worker_class=slow_first) as cluster:
        adapting = cluster.adapt(minimum=1, maximum=3, interval="100ms")
        assert within(5, lambda: slow_first.attempts == 1)
        adapting.minimum = 3
        within(2, lambda: cluster.scheduler.workers)
        record(f"{len(cluster.scheduler.workers)} workers while the first one starts for 2 s")
        slow_first.gate.set()


def test_needs(local_cluster, record):
    with local_cluster(n_workers=0) as cluster, distributed.Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=3, interval="100ms")
        futures = client.map(lambda x: x, range(200), resources={"GPU": 1}, pure=False)
        within(3, lambda: len(cluster.workers) == 3)
        within(1, lambda: not cluster.workers)
        record(f"{len(cluster.workers)} workers for {len(futures)} tasks that none of them can run")


def test_scatter_into_nothing(local_cluster, record):
    with local_cluster(n_workers=0) as cluster, distributed.Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=3, interval="100ms")
        try:
            client.scatter([41], timeout=2)
        except TimeoutError as error:
            record(f"{type(error).__name__} after 2 s, with {len(cluster.workers)} workers")
        else:
            record(f"it worked, with {len(cluster.workers)} workers")


def test_tiny_result(local_cluster, record):
    with local_cluster(n_workers=4, memory_limit=0) as cluster, distributed.Client(cluster) as client:
        result = client.submit(lambda: 41, pure=False)
        assert result.result() == 41
        cluster.adapt(minimum=0, maximum=4, interval="100ms")
        within(2, lambda: len(cluster.workers) == 1)
        record(f"{len(cluster.workers)} of 4 workers stay for one number")
