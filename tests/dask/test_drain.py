"""The drain on real workers: tasks are executed once, data stays, and it can be recalled.

With the probe and without: the one scheduler does not have this package, the other one forbids plugins as well.
"""

from __future__ import annotations

import random
import signal
from functools import partial

import anyio
import anyio.to_thread
import pytest
from dask_worlds import a_world
from drain_kit import Attempt, drained, draining, works
from real_dask import until

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture(params=["probe", "stock"])
def a_driven_world(request):
    """Opens a world in the hands of a driver, with the probe or with what every scheduler has."""
    plugins = request.param == "probe"
    address = request.getfixturevalue("shared_scheduler" if plugins else "strict_scheduler")
    return partial(a_world, address, driven=True, plugins=plugins)


async def test_two_hundred_tasks_are_executed_once_each_while_four_workers_become_one(
    a_driven_world, counting
):
    chance = random.Random(20)
    keys = [f"t{i}" for i in range(200)]
    seconds = [chance.uniform(0.002, 0.04) for _ in keys]
    async with a_driven_world() as world:
        await world.start("a", "b", "c", "d")
        futures = world.client.map(counting.task(), keys, seconds, pure=False)
        await counting.wait(40)
        async with anyio.create_task_group() as tasks:
            for name in ("b", "c", "d"):
                tasks.start_soon(drained, world, name)
        assert set(await world.link.roster(refresh=True)) == {"a"}
        assert len(counting.executions) < len(keys), "the drains were to be over before the work"
        assert await world.gather(futures) == keys
        assert counting.executions == dict.fromkeys(keys, 1)
        for name in ("b", "c", "d"):
            assert await world.workers[name].wait() == 0  # they ended by themselves


async def test_a_drain_waits_for_the_tasks_and_then_moves_the_results(a_driven_world, counting):
    async with a_driven_world() as world:
        await world.start("a", "b")
        running = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        await counting.wait(1)
        async with draining(world, "a") as attempt:
            assert await world.link.processing([await world.address_of("a")]) == 1
            assert not attempt.committed
            counting.open_gate()
        assert attempt.committed
        assert set(await world.link.roster(refresh=True)) == {"b"}
        assert await world.gather(running) == ["t"]
        assert await world.gather(world.client.submit(lambda x: x + 1, kept, pure=False)) == 42
        assert counting.executions == {"t": 1}


async def test_a_drain_that_is_cancelled_before_its_point_of_no_return_gives_the_worker_back(
    a_driven_world, counting
):
    async with a_driven_world() as world:
        await world.start("a", "b")
        [running] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        async with draining(world, "a") as attempt:
            attempt.scope.cancel()
        assert not attempt.committed
        assert (await world.link.roster(refresh=True))["a"].status == "running"
        counting.open_gate()
        assert await works(world, "a")
        assert await world.gather(running) == "t"
        assert counting.executions == {"t": 1}


async def test_who_has_been_drained_but_has_not_ended_yet_is_not_counted_on_for_data(a_driven_world):
    async with a_driven_world() as world:
        await world.start("a", "b", "c")
        scatter = partial(world.client.scatter, list(range(40)), workers=["a"])
        data = await anyio.to_thread.run_sync(scatter)
        for name in ("a", "b"):
            assert (await drained(world, name, close=False)).committed
        assert set(await world.link.roster(refresh=True)) == {"a", "b", "c"}
        for name in ("a", "b"):
            world.workers[name].send_signal(signal.SIGKILL)
        assert await world.gather(data) == list(range(40))


async def test_workers_of_a_unit_leave_together(a_driven_world, counting):
    async with a_driven_world() as world:
        await world.start("job-0", "job-1", "other")
        tasks = world.client.map(
            counting.task(), ["t1", "t2"], [0.05, 0.05], workers=["job-1"], allow_other_workers=True
        )
        await counting.wait(1)
        assert (await drained(world, "job-0", "job-1")).committed
        assert set(await world.link.roster(refresh=True)) == {"other"}
        assert await world.gather(tasks) == ["t1", "t2"]


async def test_a_worker_that_has_vanished_is_drained_already(a_driven_world):
    async with a_driven_world() as world:
        await world.start("a")
        address = await world.address_of("a")
        world.workers["a"].send_signal(signal.SIGKILL)

        async def is_gone():
            return not await world.link.roster(refresh=True)

        await until(is_gone)
        attempt = Attempt()
        await attempt.run(world, [address])
        assert attempt.committed


async def test_a_worker_that_dies_while_it_is_drained_is_drained(a_driven_world, counting):
    async with a_driven_world() as world:
        await world.start("a", "b")
        running = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        async with draining(world, "a") as attempt:
            world.workers["a"].send_signal(signal.SIGKILL)
        assert attempt.committed
        counting.open_gate()
        assert await world.gather(running) == ["t"]
