"""The drain on real workers: tasks are executed once, data stays, and who may not leave works on."""

from __future__ import annotations

import random
import signal
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from dask_worlds import a_world
from real_dask import until

from trio_adaptive.dask.fence import drain, set_status
from trio_adaptive.errors import DrainRefused

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


class Commit:
    def __init__(self):
        self.done = False

    def __call__(self):
        self.done = True


async def has_status(world, name, status):
    async def so():
        roster = await world.link.roster(refresh=True)
        return name in roster and roster[name].status == status

    await until(so)


@asynccontextmanager
async def draining(world, name):
    """A drain under way, which stands when the block begins; the block cancels it or lets it come to its end."""
    commit = Commit()
    address = await world.address_of(name)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain, world.link, [address], commit)
        await has_status(world, name, "closing_gracefully")
        yield tasks.cancel_scope, commit


async def works(world, name):
    """Whether a worker takes a task that may run nowhere else, and executes it."""
    future = world.client.submit(lambda: "done", workers=[name], pure=False)
    return await world.gather(future) == "done"


async def test_two_hundred_tasks_are_executed_once_each_while_four_workers_become_one(
    shared_scheduler, counting
):
    chance = random.Random(20)
    keys = [f"t{i}" for i in range(200)]
    seconds = [chance.uniform(0.002, 0.04) for _ in keys]
    async with a_world(shared_scheduler) as world:
        await world.start("a", "b", "c", "d")
        futures = world.client.map(counting.task(), keys, seconds, pure=False)
        await counting.wait(40)
        async with anyio.create_task_group() as tasks:
            for name in ("b", "c", "d"):
                tasks.start_soon(drain, world.link, [await world.address_of(name)], Commit())
        assert set(await world.link.roster(refresh=True)) == {"a"}
        assert len(counting.executions) < len(keys), "the drains were to be over before the work"
        assert await world.gather(futures) == keys
        assert counting.executions == dict.fromkeys(keys, 1)
        for name in ("b", "c", "d"):
            assert await world.workers[name].wait() == 0  # they ended by themselves


async def test_a_fenced_worker_gets_nothing_new_and_finishes_what_it_has(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        address = await world.address_of("a")
        first = world.client.map(counting.gated_task(), ["t1", "t2"], workers=["a"], pure=False)
        await counting.wait(1)
        await set_status(world.link, [address], "closing_gracefully")
        assert (await world.link.roster(refresh=True))["a"].status == "closing_gracefully"
        later = world.client.map(counting.gated_task(), ["t3"], pure=False)
        counting.open_gate()
        assert await world.gather(first) == ["t1", "t2"]
        assert await world.link.processing([address]) == 0
        assert counting.executions == {"t1": 1, "t2": 1}
        await set_status(world.link, [address], "running")
        assert await world.gather(later) == ["t3"]


async def test_a_drain_waits_for_the_tasks_and_then_moves_the_results(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("a", "b")
        running = world.client.map(counting.gated_task(), ["t1", "t2"], workers=["a"], pure=False)
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        await counting.wait(1)
        async with draining(world, "a") as (_, commit):
            assert await world.link.processing([await world.address_of("a")]) == 2
            assert not commit.done
            counting.open_gate()
        assert commit.done
        assert set(await world.link.roster(refresh=True)) == {"b"}
        assert await world.gather(running) == ["t1", "t2"]
        assert await world.gather(world.client.submit(lambda x: x + 1, kept, pure=False)) == 42
        assert counting.executions == {"t1": 1, "t2": 1}


async def test_a_drain_that_is_cancelled_before_its_point_of_no_return_gives_the_worker_back(
    shared_scheduler, counting
):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        [running] = world.client.map(counting.gated_task(), ["t"], workers=["a"], pure=False)
        await counting.wait(1)
        async with draining(world, "a") as (scope, commit):
            scope.cancel()
        assert not commit.done
        assert (await world.link.roster(refresh=True))["a"].status == "running"
        counting.open_gate()
        assert await works(world, "a")
        assert await world.gather(running) == "t"
        assert counting.executions == {"t": 1}


async def test_the_only_copy_of_data_keeps_its_worker_which_works_on(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        for _ in range(2):  # a second time it is refused as well as the first
            commit = Commit()
            with pytest.raises(DrainRefused, match="fits on no other worker"):
                await drain(world.link, [await world.address_of("a")], commit)
            assert commit.done
            assert (await world.link.roster(refresh=True))["a"].status == "running"
            assert await works(world, "a")
        assert await world.gather(kept) == 41
        assert await world.gather(world.client.submit(lambda x: x + 1, kept, pure=False)) == 42


async def test_a_refusal_after_the_drain_was_cancelled_gives_the_worker_back(shared_scheduler, monkeypatch):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        retire = world.link.retire
        with anyio.CancelScope() as scope:

            async def retire_and_be_cancelled(addresses, *, close):
                answer = await retire(addresses, close=close)
                scope.cancel()
                await anyio.lowlevel.checkpoint()  # cancelled, where it is not shielded
                return answer

            monkeypatch.setattr(world.link, "retire", retire_and_be_cancelled)
            await drain(world.link, [await world.address_of("a")], Commit())
        assert scope.cancelled_caught
        monkeypatch.undo()
        assert await works(world, "a")
        assert await world.gather(kept) == 41


async def test_what_a_worker_says_late_cannot_leave_it_fenced(shared_scheduler, monkeypatch):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        address = await world.address_of("a")
        retire = world.link.retire
        second_time = []

        async def retire_late(addresses, *, close):
            if not close and not second_time:
                second_time.append(True)
                world.workers["a"].send_signal(signal.SIGCONT)
                await has_status(world, "a", "closing_gracefully")  # its answer to the first retirement
            return await retire(addresses, close=close)

        monkeypatch.setattr(world.link, "retire", retire_late)
        world.workers["a"].send_signal(signal.SIGSTOP)
        with pytest.raises(DrainRefused):
            await drain(world.link, [address], Commit())
        assert second_time
        assert await works(world, "a")
        assert await world.gather(kept) == 41


async def test_workers_of_a_unit_leave_together(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("job-0", "job-1", "other")
        addresses = [await world.address_of(name) for name in ("job-0", "job-1")]
        tasks = world.client.map(counting.task(), ["t1", "t2"], [0.05, 0.05], workers=["job-1"], pure=False)
        await counting.wait(1)
        await drain(world.link, addresses, Commit())
        assert set(await world.link.roster(refresh=True)) == {"other"}
        assert await world.gather(tasks) == ["t1", "t2"]


async def test_a_worker_that_has_vanished_is_drained_already(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        address = await world.address_of("a")
        world.workers["a"].send_signal(signal.SIGKILL)

        async def is_gone():
            return not await world.link.roster(refresh=True)

        await until(is_gone)
        commit = Commit()
        await drain(world.link, [address], commit)
        assert commit.done


async def test_a_worker_that_dies_while_it_is_drained_is_drained(shared_scheduler, counting):
    async with a_world(shared_scheduler) as world:
        await world.start("a", "b")
        running = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        async with draining(world, "a") as (_, commit):
            world.workers["a"].send_signal(signal.SIGKILL)
        assert commit.done
        counting.open_gate()
        assert await world.gather(running) == ["t"]
