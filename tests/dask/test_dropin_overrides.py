"""Subclasses of the drop-in that override one method each, and real worker processes that lose no task."""

from __future__ import annotations

import asyncio

import pytest
from distributed import Client
from dropin_kit import adapt, in_loop, local_cluster, slow, until

from trio_adaptive.dask import Adaptive

pytestmark = pytest.mark.integration


class PlainTarget(Adaptive):
    wanted = 0

    def target(self):
        return self.wanted


class AsyncTarget(Adaptive):
    wanted = 0

    async def target(self):
        await asyncio.sleep(0)
        return self.wanted


class Doubled(Adaptive):
    wanted = 0

    async def target(self):
        return await super().target() + self.wanted


def follows(adaptive):
    """A test that sizes follow the ``wanted`` of a class, whatever the load."""

    @in_loop
    async def test():
        async with local_cluster() as cluster:
            scaler = adapt(cluster, adaptive, maximum=3, interval="20ms", wait_count=1)
            for wanted, got in ((2, 2), (9, 3), (1, 1), (0, 0)):
                scaler.wanted = wanted
                await until(lambda n=got: len(cluster.scheduler.workers) == len(cluster.worker_spec) == n)

    return test


test_a_plain_target = follows(PlainTarget)
test_an_async_target = follows(AsyncTarget)
test_a_target_that_asks_dasks = follows(Doubled)


@in_loop
async def test_whom_to_close():
    class OldestFirst(PlainTarget):
        asked = ()

        async def workers_to_close(self, target):
            self.asked = (*self.asked, target)
            return sorted(self.observed)[: len(self.observed) - target]

    async with local_cluster() as cluster:
        scaler = adapt(cluster, OldestFirst, maximum=3, interval="20ms", wait_count=1)
        scaler.wanted = 3
        await until(lambda: len(cluster.scheduler.workers) == 3 and len(scaler.observed) == 3)
        names = sorted(cluster.worker_spec)
        scaler.wanted = 1
        await until(lambda: len(cluster.scheduler.workers) == 1)
        assert {worker.name for worker in cluster.scheduler.workers.values()} == {names[-1]}
        assert set(scaler.asked) == {1}


@in_loop
async def test_scaling_methods_that_do_something_more():
    class Telling(Adaptive):
        calls = ()

        async def scale_up(self, n):
            self.calls = (*self.calls, ("up", n))
            await super().scale_up(n)

        async def scale_down(self, workers):
            self.calls = (*self.calls, ("down", *workers))
            await super().scale_down(workers)

    async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
        scaler = adapt(cluster, Telling, maximum=2, interval="20ms", wait_count=2)
        futures = client.map(slow, range(50), delay=0.02)
        assert sum(await client.gather(futures)) == 1275
        del futures
        await until(lambda: not cluster.scheduler.workers and not cluster.worker_spec)
        assert scaler.calls[0] == ("up", 2)
        gone = [name for what, *names in scaler.calls if what == "down" for name in names]
        assert sorted(gone) == [0, 1]


@in_loop
async def test_recommendations_that_ask_dasks():
    class Evenings(Adaptive):
        evening = False
        verdicts = ()

        async def recommendations(self, target):
            verdict = await super().recommendations(target if self.evening else 2)
            self.verdicts = (*self.verdicts, verdict["status"])
            return verdict

    async with local_cluster() as cluster:
        scaler = adapt(cluster, Evenings, maximum=3, interval="20ms", wait_count=2)
        await until(lambda: len(cluster.scheduler.workers) == 2)
        scaler.evening = True
        await until(lambda: not cluster.scheduler.workers)
        assert {"up", "same", "down"} == set(scaler.verdicts)


def a_script_with_tasks(counting):
    """Lower the maximum while tasks run on processes, and let all of them end."""

    async def run():
        async with (
            local_cluster(processes=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            scaler = adapt(cluster, minimum=3, maximum=3, interval="50ms", wait_count=1)
            await until(lambda: len(cluster.scheduler.workers) == 3, 40)
            futures = client.map(counting.task(), [f"k{i}" for i in range(60)], seconds=0.1, pure=False)
            await counting.wait(6)
            scaler.minimum = 0
            scaler.maximum = 1
            await until(lambda: len(cluster.scheduler.workers) == 1, 40)
            begun = len(counting.executions)
            answers = await client.gather(futures)
            return begun, answers

    return asyncio.run(asyncio.wait_for(run(), 90))


def test_a_lower_maximum_runs_no_task_twice(counting):
    begun, answers = a_script_with_tasks(counting)
    assert begun < 60  # it went down while there was work
    assert answers == [f"k{i}" for i in range(60)]
    assert set(counting.executions.values()) == {1}
    assert len(counting.executions) == 60


@in_loop
async def test_bounds_that_are_changed_one_after_the_other_both_count():
    async with local_cluster() as cluster:
        scaler = adapt(cluster, minimum=3, maximum=3, interval="20ms")
        await until(lambda: len(cluster.scheduler.workers) == 3)
        scaler.minimum = 1
        scaler.maximum = 2  # before the scaling loop has heard of the other one
        assert (scaler.minimum, scaler.maximum) == (1, 2)
        await until(lambda: scaler.statistics().maximum == 2)
        assert scaler.statistics().minimum == 1
