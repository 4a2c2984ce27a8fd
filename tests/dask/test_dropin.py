"""`trio_adaptive.dask.Adaptive` in upstream's place: its public face, its overridable methods, its lifetime."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import time

import dask
import pytest
from distributed import Client, LocalCluster, Scheduler, SpecCluster, Status, Worker
from distributed.utils_test import captured_logger
from dropin_kit import adapt, in_loop, local_cluster, slow, until

from trio_adaptive import ConfigurationError
from trio_adaptive.dask import Adaptive

LOGGER = "distributed.deploy.adaptive"
pytestmark = pytest.mark.integration


class ByHand(Adaptive):
    """Sets of its own and no cluster behind them, as users test their subclasses."""

    def __init__(self, *args, interval=None, **options):
        super().__init__(*args, interval=interval, **options)
        self._target = 0
        self._plan = set()
        self._requested = set()
        self._observed = set()

    @property
    def plan(self):
        return self._plan

    @property
    def requested(self):
        return self._requested

    @property
    def observed(self):
        return self._observed

    async def target(self):
        return self._target

    async def scale_up(self, n=0):
        self._plan = self._requested = set(range(n))

    async def scale_down(self, workers=()):
        for names in (self._plan, self._requested, self._observed):
            names -= set(workers)

    async def workers_to_close(self, target):
        return list(self._observed)[target:]


# By hand


@in_loop
async def test_the_target_by_hand_is_within_the_bounds():
    adaptive = ByHand(minimum=1, maximum=4)
    assert adaptive.state == "inactive"
    assert await adaptive.safe_target() == 1
    adaptive._target = 10
    assert await adaptive.safe_target() == 4


@in_loop
async def test_growing_by_hand():
    adaptive = ByHand(minimum=1, maximum=4)
    await adaptive.adapt()
    assert adaptive.log[-1][1] == {"status": "up", "n": 1}
    assert adaptive.plan == {0}
    adaptive._target = 10
    await adaptive.adapt()
    assert adaptive.log[-1][1] == {"status": "up", "n": 4}
    assert adaptive.plan == {0, 1, 2, 3}


@in_loop
async def test_shrinking_by_hand_takes_back_who_has_not_come_first():
    adaptive = ByHand(minimum=1, maximum=4, wait_count=2)
    adaptive._target = 10
    await adaptive.adapt()
    adaptive._observed = {0, 1, 3}
    adaptive._target = 2
    await adaptive.adapt()
    assert len(adaptive.log) == 1
    await adaptive.adapt()
    assert len(adaptive.log) == 2
    verdict = adaptive.log[-1][1]
    assert verdict["status"] == "down"
    assert 2 in verdict["workers"]
    assert len(verdict["workers"]) == 2
    assert adaptive.plan == {0, 1}
    before = list(adaptive.log)
    for _ in range(4):
        await adaptive.adapt()
    assert list(adaptive.log) == before


@in_loop
async def test_recommendations_by_hand():
    adaptive = ByHand(minimum=1, maximum=4, wait_count=2)
    assert await adaptive.recommendations(3) == {"status": "up", "n": 3}
    adaptive._plan = adaptive._requested = {0, 1, 2, 3}
    adaptive._observed = {0, 1, 3}
    assert await adaptive.recommendations(4) == {"status": "same"}
    assert await adaptive.recommendations(2) == {"status": "same"}
    verdict = await adaptive.recommendations(2)
    assert verdict["status"] == "down"
    assert sorted(verdict["workers"]) == [2, 3]


# In the loop of a cluster


@in_loop
async def test_a_subclass_with_sets_of_its_own_is_driven_at_every_interval():
    async with local_cluster() as cluster:
        adaptive = ByHand(cluster=cluster, interval="5 ms")
        assert not adaptive.plan
        for wanted in (0, 3, 1):
            adaptive._target = wanted
            await until(lambda n=wanted: len(adaptive.plan) == n)
        adaptive.stop()
        adaptive._target = 10
        await asyncio.sleep(0.05)
        assert len(adaptive.plan) == 1


@in_loop
async def test_an_error_in_a_step_is_logged_and_survived():
    class Bad(ByHand):
        def safe_target(self):
            raise OSError("no answer")

    async with local_cluster() as cluster:
        with captured_logger(LOGGER, level=logging.WARNING) as log:
            adaptive = Bad(cluster=cluster, minimum=1, maximum=4, interval="10ms")
            await until(lambda: "Adaptive encountered an error while adapting" in log.getvalue())
        assert "no answer" in log.getvalue()
        assert adaptive.state == "running"
        assert not adaptive._adapting
        assert adaptive.periodic_callback.is_running()
        adaptive.stop()


@in_loop
async def test_an_error_while_scaling_down_is_logged_and_survived():
    class Bad(ByHand):
        async def scale_down(self, workers=None):
            raise OSError("it stays")

    async with local_cluster() as cluster:
        adaptive = Bad(cluster=cluster, minimum=1, maximum=4, wait_count=0, interval="10ms")
        adaptive._target = 2
        await until(lambda: adaptive.state == "running")
        await adaptive.adapt()
        assert adaptive.plan == adaptive.requested == {0, 1}
        with captured_logger(LOGGER, level=logging.WARNING) as log:
            adaptive._target = 0
            await until(lambda: "Adaptive encountered an error while adapting" in log.getvalue())
        assert not adaptive._adapting
        assert adaptive.periodic_callback.is_running()
        adaptive.stop()


@in_loop
async def test_stopping_is_logged_once():
    async with local_cluster() as cluster:
        with captured_logger(LOGGER, level=logging.INFO) as log:
            adaptive = ByHand(cluster=cluster, interval="100ms")
            assert adaptive.state == "starting"
            assert not adaptive.periodic_callback.is_running()
            await until(lambda: adaptive.state == "running")
            callback = adaptive.periodic_callback
            assert callback.is_running()
            adaptive.stop()
            adaptive.stop()
        assert adaptive.state == "stopped"
        assert adaptive.periodic_callback is None
        assert not callback.is_running()
        assert log.getvalue().count("Adaptive scaling stopped") == 1


@in_loop
async def test_an_object_that_is_dropped_stops():
    async with local_cluster() as cluster:
        gc.disable()  # by its references alone, without a collection
        try:
            adaptive = Adaptive(cluster, interval="10ms")
            engine, callback = adaptive.engine, adaptive.periodic_callback
            await until(lambda: engine.statistics().samples > 2)
            del adaptive
            await until(lambda: not callback.is_running())
            await until(lambda: engine.statistics().stage == "stopped")
        finally:
            gc.enable()


@in_loop
async def test_it_stops_when_the_cluster_leaves_running():
    async with local_cluster() as cluster:
        adaptive = adapt(cluster, interval="20ms")
        await until(lambda: adaptive.state == "running")
        cluster.status = Status.failed
        await until(lambda: adaptive.state == "stopped")
        assert adaptive.periodic_callback is None
        cluster.status = Status.running


@in_loop
async def test_it_stops_with_the_cluster_and_leaves_nothing():
    async with local_cluster() as cluster:
        adaptive = adapt(cluster, interval="10ms", minimum=1)
        callback = adaptive.periodic_callback
        await until(lambda: len(cluster.scheduler.workers) == 1)
    assert adaptive.state == "stopped"
    assert not callback.is_running()
    await until(lambda: adaptive.engine.statistics().stage == "stopped")


@in_loop
async def test_one_entry_in_the_log_for_each_change():
    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        adaptive = adapt(cluster, minimum=1, maximum=2, interval="20 ms", wait_count=10)
        await until(lambda: len(cluster.scheduler.workers) == 1)
        await asyncio.sleep(0.2)
        assert [entry for _, entry in adaptive.log] == [{"status": "up", "n": 1}]
        futures = client.map(slow, range(100))
        await until(lambda: len(cluster.scheduler.workers) == 2)
        await asyncio.sleep(0.5)
        assert [entry for _, entry in adaptive.log] == [{"status": "up", "n": 1}, {"status": "up", "n": 2}]
        del futures
        await until(lambda: len(cluster.scheduler.workers) == 1)
        entry = adaptive.log[-1][1]
        assert entry["status"] == "down"
        assert len(entry["workers"]) == 1
        assert isinstance(entry["workers"][0], int)


@in_loop
async def test_a_short_pause_costs_no_worker():
    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        adaptive = adapt(cluster, interval="20 ms", wait_count=5)
        for i in range(10):
            await client.submit(slow, i, delay=0.04)
            await asyncio.sleep(0.04)
        assert len(adaptive.log) == 1


@in_loop
async def test_few_tasks_ask_for_few_workers_and_many_for_many():
    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        adaptive = adapt(cluster, interval="20 ms", wait_count=5, maximum=10)
        kept = client.submit(slow, 1)  # its result keeps one worker
        await kept
        assert len(adaptive.log) == 1
        futures = client.map(slow, range(1000))
        await until(lambda: len(adaptive.log) > 1)
        assert adaptive.log[1][1]["status"] == "up"
        assert 2 < adaptive.log[1][1]["n"] <= adaptive.maximum
        await until(lambda: len(cluster.workers) == adaptive.maximum)
        del futures
        await until(lambda: len(cluster.scheduler.workers) <= 1 and len(cluster.worker_spec) <= 1)
        chain = await client.scatter(1)
        for _ in range(100):
            chain = client.submit(slow, chain, delay=0.01)
        await chain
        assert len(cluster.workers) == 1


@in_loop
async def test_a_lower_maximum_by_a_second_adapt():
    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        first = adapt(cluster, interval="20ms", maximum=5)
        futures = client.map(slow, range(1000))
        await until(lambda: len(cluster.scheduler.workers) == 5)
        second = adapt(cluster, interval="50ms", maximum=2)
        assert first.state == "stopped"
        assert first.periodic_callback is None
        await until(lambda: len(cluster.scheduler.workers) == 2, 60)
        assert second.periodic_callback.is_running()
        del futures


@in_loop
async def test_each_adapt_starts_from_the_defaults():
    # dask/distributed#8807: the options of one call used to stick to the next.
    async with local_cluster() as cluster:
        adapt(cluster, interval=3600, wait_count=400)
        adaptive = adapt(cluster, maximum=2)
        assert (adaptive.interval, adaptive.wait_count, adaptive.maximum) == (1, 3, 2)


@in_loop
async def test_workers_leave_in_groups():
    def key(worker):
        return worker.name.split("-")[0]

    workers = {name: {"cls": Worker} for name in ("a-1", "a-2", "b-1", "b-2")}
    scheduler = {"cls": Scheduler, "options": {"dashboard_address": ":0"}}
    async with SpecCluster(workers=workers, scheduler=scheduler, asynchronous=True) as cluster:
        cluster._adaptive_options = {"worker_key": key}  # as a cluster class presets it
        adaptive = adapt(cluster, minimum=1, interval="50ms")
        await adaptive.adapt()
        await until(lambda: len(cluster.scheduler.workers) < 4)
        await until(lambda: len(cluster.scheduler.workers) == 2)
        names = {worker.name for worker in cluster.scheduler.workers.values()}
        assert names in ({"a-1", "a-2"}, {"b-1", "b-2"})
        assert adapt(cluster).worker_key is key


@in_loop
async def test_cores_and_memory_become_workers():
    async with local_cluster(threads_per_worker=2, memory_limit="3 GB") as cluster:
        adaptive = adapt(cluster, minimum_cores=3, maximum_cores=9)
        assert (adaptive.minimum, adaptive.maximum) == (2, 4)
        adaptive = adapt(cluster, minimum_memory="7GB", maximum_memory="20 GB")
        assert (adaptive.minimum, adaptive.maximum) == (3, 6)
        adaptive = adapt(
            cluster, minimum_cores=1, minimum_memory="7GB", maximum_cores=10, maximum_memory="1 TB"
        )
        assert (adaptive.minimum, adaptive.maximum) == (3, 5)


@in_loop
async def test_without_a_memory_limit_the_sizes_stay_small():
    async with local_cluster(memory_limit=0) as cluster, Client(cluster, asynchronous=True) as client:
        adaptive = adapt(cluster, minimum=1, maximum=10, interval="10 ms")
        await client.gather(client.map(slow, range(5), delay=0.35))
        assert sum(entry["n"] for _, entry in adaptive.log if entry["status"] == "up") <= 5


@in_loop
async def test_a_scale_that_has_to_be_awaited():
    class Awaited(LocalCluster):
        def scale(self, n):
            method = super().scale

            async def later():
                return method(n)

            return self.sync(later)

    async with (
        Awaited(n_workers=0, processes=False, asynchronous=True, dashboard_address=":0") as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        futures = client.map(slow, range(5), delay=0.05)
        adapt(cluster, interval="50ms")
        await client.gather(futures)
        del futures
        await until(lambda: not cluster.workers)


@in_loop
async def test_dasks_configuration_counts_where_nothing_else_is_said():
    # dask/distributed#3509: SpecCluster.adapt always passes its own defaults.
    with dask.config.set(
        {
            "distributed.adaptive.minimum": 1,
            "distributed.adaptive.maximum": 3,
            "distributed.adaptive.wait-count": 8,
        }
    ):
        async with local_cluster() as cluster:
            adaptive = adapt(cluster, interval="5s")
            assert (adaptive.minimum, adaptive.maximum) == (1, 3)
            assert (adaptive.interval, adaptive.wait_count) == (5, 8)
            assert adapt(cluster, maximum=7).maximum == 7


def test_without_a_cluster_it_has_its_options_and_does_nothing():
    with dask.config.set({"distributed.adaptive.minimum": 10}):
        adaptive = Adaptive(interval="5s")
    assert (adaptive.minimum, adaptive.maximum, adaptive.interval) == (10, math.inf, 5)
    assert adaptive.state == "inactive"
    assert adaptive.periodic_callback is None


def test_the_arguments_stand_in_upstreams_order():
    adaptive = Adaptive(None, "5s", 1, 4, 2, "7s", str)
    assert (adaptive.interval, adaptive.minimum, adaptive.maximum) == (5, 1, 4)
    assert (adaptive.wait_count, adaptive.target_duration, adaptive.worker_key) == (2, 7, str)


def test_what_looks_misspelt_is_told_and_passed_on_all_the_same():
    with captured_logger(LOGGER, level=logging.WARNING) as log:
        Adaptive(None, maxmimum=3, memory_ratio=2)
    assert "did you mean 'maximum'" in log.getvalue()
    assert len(log.getvalue().splitlines()) == 1


@in_loop
async def test_all_mistakes_at_once_and_the_cluster_stays_as_it_was():
    async with local_cluster() as cluster:
        with pytest.raises(ConfigurationError) as caught:
            adapt(cluster, minimum=5, maximum=2, wait_count="often", interval="-1s")
        assert {mistake.path for mistake in caught.value.mistakes} >= {"minimum", "wait_count", "interval"}
        assert not cluster.workers
        adaptive = adapt(cluster, interval="20ms", minimum=1)
        await until(lambda: len(cluster.workers) == 1)
        adaptive.stop()


@in_loop
async def test_limits_may_be_changed_and_sizes_held():
    async with local_cluster() as cluster:
        adaptive = adapt(cluster, interval="20ms", wait_count=1)
        adaptive.hold(2)
        await until(lambda: len(cluster.scheduler.workers) == 2)
        adaptive.maximum = 1
        await until(lambda: len(cluster.scheduler.workers) == 1)
        assert adaptive.maximum == 1


def test_a_plain_script():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        adaptive = adapt(cluster, interval="50 ms", maximum=2)
        assert client.submit(slow, 1).result(timeout=20) == 2
        assert sum(client.gather(client.map(slow, range(20), delay=0.02))) == 210
        assert adaptive.state == "running"
        deadline = time.monotonic() + 20
        while cluster.scheduler_info["workers"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not cluster.scheduler_info["workers"]
        assert "Adaptive" in cluster._scaling_status()
    assert adaptive.state == "stopped"
