"""What the probe adds to the drain: refusals with reasons at every stage, queued tasks asked back, recall, a forced end."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import distributed
import pytest
from dask_worlds import a_world
from drain_kit import Attempt, drained, draining, has_status, works
from real_dask import until

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def seceding(folder):
    """A task (a closure, which is sent by value) that leaves its thread at one sign and ends at another."""

    def work():
        def wait_for(sign):
            end = time.monotonic() + 60
            while not Path(folder, sign).exists() and time.monotonic() < end:
                time.sleep(0.005)

        Path(folder, "begun").touch()
        wait_for("secede")
        distributed.secede()
        wait_for("end")
        return "seceded"

    return work


async def on_scheduler(world, function):
    """What a function of the scheduler says of it; the function is sent by value."""
    return await anyio.to_thread.run_sync(world.client.run_on_scheduler, function)


async def until_on_scheduler(world, function):
    async def so():
        return await on_scheduler(world, function)

    await until(so)


async def serves(world, name):
    return (await world.link.roster(refresh=True))[name].status == "running" and await works(world, name)


def any_long_running(dask_scheduler):
    return any(worker.long_running for worker in dask_scheduler.workers.values())


def suspicious(dask_scheduler):
    return sum(task.suspicious for task in dask_scheduler.tasks.values())


any_long_running.__module__ = suspicious.__module__ = "__main__"  # so that they are sent by value


async def test_a_worker_that_holds_an_actor_stays(shared_scheduler):
    """dask/distributed#7072."""

    class Counter:
        n = 0

        def add(self):
            self.n += 1
            return self.n

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        future = world.client.submit(Counter, actor=True, workers=["a"])

        def add():
            with world.client.as_current():
                return future.result().add().result(timeout=5)

        assert await anyio.to_thread.run_sync(add) == 1
        assert await drained(world, "a") == Attempt(refusal="a: it holds an actor")
        assert await anyio.to_thread.run_sync(add) == 2
        assert await serves(world, "a")


async def test_a_worker_with_a_task_that_has_seceded_stays(shared_scheduler, tmp_path):
    """dask/distributed#7481."""
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        (tmp_path / "secede").touch()
        future = world.client.submit(seceding(tmp_path), workers=["a"])
        await until_on_scheduler(world, any_long_running)
        attempt = await drained(world, "a")
        assert attempt == Attempt(refusal="a: a task on it has seceded or uses a worker_client")
        (tmp_path / "end").touch()
        assert await world.gather(future) == "seceded"


async def test_a_task_that_secedes_while_it_is_waited_for_gives_its_worker_back(shared_scheduler, tmp_path):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        future = world.client.submit(seceding(tmp_path), workers=["a"], allow_other_workers=True)

        async def has_begun():
            return (tmp_path / "begun").exists()

        await until(has_begun)
        async with draining(world, "a") as attempt:
            (tmp_path / "secede").touch()
        assert "seceded" in attempt.refusal
        assert not attempt.committed
        assert await serves(world, "a")
        (tmp_path / "end").touch()
        assert await world.gather(future) == "seceded"


async def test_a_worker_with_work_that_only_it_can_do_stays(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        future = world.client.submit(counting.gated_task(), "t", workers=["a"])
        await counting.wait(1)
        assert await drained(world, "a") == Attempt(refusal="a: it has work that only it can do")
        counting.open_gate()
        assert await world.gather(future) == "t"


async def test_work_that_only_a_fenced_worker_can_do_gives_it_back(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [running] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        async with draining(world, "a") as attempt:
            late = world.client.submit(counting.gated_task(), "late", workers=["a"], pure=False)
        assert attempt == Attempt(refusal="a: work has come that only it can do", scope=attempt.scope)
        counting.open_gate()
        assert await world.gather([running, late]) == ["t", "late"]
        assert counting.executions == {"t": 1, "late": 1}


async def test_only_idle_means_idle_at_the_moment_of_the_fence(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        futures = world.client.map(counting.gated_task(), ["t1", "t2"])
        await counting.wait(2)
        assert await drained(world, "a", only_idle=True) == Attempt(refusal="a: it has work again")
        counting.open_gate()
        assert sorted(await world.gather(futures)) == ["t1", "t2"]
        attempt = await drained(world, "a", only_idle=True)
        assert (attempt.committed, attempt.refusal) == (True, "")


async def test_the_last_worker_stays_for_the_work(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a")
        futures = world.client.map(counting.gated_task(), ["t1", "t2"])
        await counting.wait(1)
        assert await drained(world, "a") == Attempt(refusal="nobody else is there for the work")
        counting.open_gate()
        assert await world.gather(futures) == ["t1", "t2"]


async def test_a_worker_that_a_plugin_excludes_stays(shared_scheduler):
    """As a P2P shuffle does with its participants (dask/distributed#8579, #8610)."""

    class Veto(distributed.SchedulerPlugin):
        name = "a veto"

        def valid_workers_downscaling(self, scheduler, workers):
            return [worker for worker in workers if worker.name != "a"]

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        await anyio.to_thread.run_sync(world.client.register_plugin, Veto())
        try:
            assert await drained(world, "a") == Attempt(refusal="a: Veto needs it")
        finally:
            await anyio.to_thread.run_sync(world.client.unregister_scheduler_plugin, "a veto")
        assert (await drained(world, "a")).committed


async def test_the_only_copy_of_data_keeps_its_worker(shared_scheduler):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a")
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        for _ in range(2):  # a second time it is refused as well as the first
            assert await drained(world, "a") == Attempt(
                refusal="data that only it has fits on no other worker"
            )
            assert await serves(world, "a")
        assert await world.gather(kept) == 41


async def test_queued_tasks_are_asked_back_and_run_once_each(shared_scheduler, counting):
    keys = [f"t{i}" for i in range(30)]
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        # Preferences of this kind are not queued on the scheduler: half of the tasks wait on each worker.
        futures = world.client.map(counting.gated_task(), keys, workers=["a", "b"])
        await counting.wait(2)
        address = await world.address_of("a")
        async with draining(world, "a") as attempt:

            async def has_only_what_it_executes():
                return await world.link.processing([address]) == 1

            await until(has_only_what_it_executes)
            counting.open_gate()
        assert attempt.committed
        assert await world.gather(futures) == keys
        assert counting.executions == dict.fromkeys(keys, 1)


async def test_a_recalled_worker_takes_tasks_again(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [first] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        for _ in range(3):
            async with draining(world, "a") as attempt:
                attempt.scope.cancel()
            assert not attempt.committed
            assert (await world.link.roster(refresh=True))["a"].status == "running"
        counting.open_gate()
        assert await world.gather(first) == "t"
        assert await works(world, "a")
        assert counting.executions == {"t": 1}


async def test_a_drain_cancelled_anywhere_leaves_the_worker_in_service_or_takes_it_away(shared_scheduler):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b", *(f"w{i}" for i in range(4)))
        [data] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        outcomes = set()
        for steps in range(40):
            roster = await world.link.roster(refresh=True)
            name = next((name for name in ("a", "w0", "w1", "w2", "w3") if name in roster), None)
            if name is None:
                break
            attempt = Attempt()
            address = roster[name].address
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt.run, world, [address])
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            roster = await world.link.roster(refresh=True)
            here = name in roster
            outcomes.add(here)
            if here:
                assert not attempt.committed, steps
                assert roster[name].status == "running", steps
        assert True in outcomes
        assert await world.gather(data) == 41
        assert await works(world, "b")


async def test_at_its_deadline_a_worker_is_made_to_go_with_the_least_harm(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [data] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        [future] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        worker = world.workers["a"]

        async def halt():
            worker.send_signal(signal.SIGSTOP)

        deadline = anyio.current_time() + 0.3
        attempt = await drained(world, "a", deadline=deadline, halt=halt)
        worker.send_signal(signal.SIGKILL)
        assert attempt.committed
        assert attempt.lost.tasks == 1
        assert 0.2 < attempt.lost.task_seconds < 20
        assert attempt.lost.bytes == 0
        await counting.wait(1)
        counting.open_gate()
        assert await world.gather(future) == "t"
        assert counting.executions == {"t": 2}  # once cut off, once to its end
        assert await on_scheduler(world, suspicious) == 0
        assert await world.gather(data) == 41


async def test_data_that_cannot_be_computed_again_is_not_forced_away(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [data] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        [future] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        async with draining(world, "a", deadline=anyio.current_time() + 0.5) as attempt:
            world.workers["b"].send_signal(signal.SIGKILL)
        assert "cannot be computed again" in attempt.refusal
        assert attempt.lost is None
        counting.open_gate()
        assert await world.gather([future, data]) == ["t", 41]
        assert counting.executions == {"t": 1}


async def test_a_worker_that_pauses_and_resumes_stays_fenced(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [future] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)
        address = await world.address_of("a")
        async with draining(world, "a") as attempt:
            for status in ("paused", "running"):

                def say(dask_scheduler, status=status, address=address):
                    handler = dask_scheduler.stream_handlers["worker-status-change"]
                    handler(status=status, worker=address, stimulus_id="said by the worker")

                await on_scheduler(world, say)
                await has_status(world, "a", "closing_gracefully")
            later = world.client.submit(counting.gated_task(), "later")
            await counting.wait(2)
            counting.open_gate()
        assert attempt.committed
        assert await world.gather([future, later]) == ["t", "later"]


async def test_the_scheduler_is_as_it_was_when_the_driver_has_left(shared_scheduler):
    def handlers(dask_scheduler):
        def names(table):
            return {name: getattr(handler, "__qualname__", "") for name, handler in table.items()}

        return (
            names(dask_scheduler.handlers),
            names(dask_scheduler.stream_handlers),
            list(dask_scheduler.plugins),
        )

    async with a_world(shared_scheduler) as world:
        before = await on_scheduler(world, handlers)
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        assert (await drained(world, "a")).committed
    async with a_world(shared_scheduler) as world:
        assert await on_scheduler(world, handlers) == before
