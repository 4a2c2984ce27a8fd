"""Messages that cross each other, and workers and drivers that go in the middle: what the probe makes of them.

The calls are made inside of the scheduler, one right after the other, so that nothing can come in between.
"""

from __future__ import annotations

import signal
from types import SimpleNamespace

import anyio
import anyio.to_thread
import pytest
from dask_worlds import a_world
from drain_kit import Attempt, drained, draining, works
from real_dask import until

from trio_adaptive.dask.drain import give_back
from trio_adaptive.dask.probe.places import accepts
from trio_adaptive.decision.model import Lost

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
def anyio_backend():
    """What is tried here is in the scheduler, whatever the driver runs on."""
    return "trio"


async def probe(world, function, *arguments):
    """Call it with the probe, the scheduler and the arguments, in the scheduler; it is sent by value."""

    async def called(dask_scheduler):
        answer = function(dask_scheduler.plugins["trio-adaptive"], dask_scheduler, *arguments)
        return await answer if hasattr(answer, "__await__") else answer

    function.__module__ = called.__module__ = "__main__"
    return await anyio.to_thread.run_sync(world.client.run_on_scheduler, called)


def statuses(_, scheduler):
    return {ws.name: ws.status.name for ws in scheduler.workers.values()}


async def fifteen_queued_on_each(world, counting):
    """Thirty tasks for two workers; returns their keys and futures."""
    await world.start("a", "b")
    keys = [f"t{i}" for i in range(30)]
    futures = world.client.map(counting.gated_task(), keys, workers=["a", "b"])
    await counting.wait(2)
    return keys, futures


async def test_tasks_that_were_asked_back_when_the_fence_was_lifted_are_done(shared_scheduler, counting):
    def fence_and_recall(probe, _, address):
        assert probe.fences.fence([address], only_idle=False, attempt=1) == {"refused": ""}
        assert probe.fences.unfence([address], attempt=1) == {"back": [address]}
        return len(probe.fences._pulls._asked)

    async with a_world(shared_scheduler, driven=True) as world:
        keys, futures = await fifteen_queued_on_each(world, counting)
        assert await probe(world, fence_and_recall, await world.address_of("a")) > 5
        counting.open_gate()
        assert await world.gather(futures) == keys
        assert counting.executions == dict.fromkeys(keys, 1)


async def test_tasks_that_were_asked_back_when_the_driver_left_are_done(shared_scheduler, counting):
    def fence_and_end(probe, _, address):
        assert probe.fences.fence([address], only_idle=False, attempt=1) == {"refused": ""}
        probe.end()
        return len(probe.fences._pulls._asked)

    def listening(dask_scheduler):
        return "trio" in dask_scheduler.stream_handlers["steal-response"].__module__

    listening.__module__ = "__main__"

    async with a_world(shared_scheduler, driven=True) as world:
        keys, futures = await fifteen_queued_on_each(world, counting)
        assert await probe(world, fence_and_end, await world.address_of("a")) > 5
        counting.open_gate()
        assert await world.gather(futures) == keys
        assert counting.executions == dict.fromkeys(keys, 1)

        async def as_before():
            return not await anyio.to_thread.run_sync(world.client.run_on_scheduler, listening)

        await until(as_before)


async def test_a_fence_that_comes_after_its_recall_does_not_stand(shared_scheduler):
    def crossed(probe, _, address):
        probe.fences.unfence([address], attempt=5)
        late = probe.fences.fence([address], only_idle=False, attempt=5)
        standing = list(probe.fences.fenced)
        return late, standing, probe.fences.fence([address], only_idle=False, attempt=6)

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        late, standing, later = await probe(world, crossed, await world.address_of("a"))
        assert (late, standing, later) == ({"refused": "it was called back"}, [], {"refused": ""})


async def test_a_unit_of_which_one_worker_is_needed_goes_back_as_a_whole(shared_scheduler):
    def both_needed(probe, scheduler, addresses):
        probe.fences.fence(addresses, only_idle=False, attempt=1)
        scheduler.plugins["veto"] = type("Veto", (), {"valid_workers_downscaling": lambda *_: []})()
        try:
            probe.fences._tick()
        finally:
            del scheduler.plugins["veto"]
        return list(probe.fences.fenced)

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b", "c")
        addresses = [await world.address_of(name) for name in ("a", "b")]
        assert await probe(world, both_needed, addresses) == []
        assert set((await probe(world, statuses)).values()) == {"running"}


async def test_a_worker_whose_line_is_broken_does_not_stop_the_looks_at_the_others(
    shared_scheduler, counting
):
    def broken(probe, scheduler, address):
        class Line:
            def send(self, *_):
                raise OSError("closed")

        line, scheduler.stream_comms[address] = scheduler.stream_comms[address], Line()
        try:
            probe.fences.fence([address], only_idle=False, attempt=1)
            probe.fences._tick()
        finally:
            scheduler.stream_comms[address] = line
        probe.fences.unfence([address], attempt=1)
        return probe.fences._pulls._asked

    async with a_world(shared_scheduler, driven=True) as world:
        keys, futures = await fifteen_queued_on_each(world, counting)
        assert await probe(world, broken, await world.address_of("a")) == {}
        counting.open_gate()
        assert await world.gather(futures) == keys


async def test_a_worker_that_closes_of_its_own_accord_is_not_put_back_into_service(shared_scheduler):
    def closing(probe, scheduler, address):
        probe.fences.fence([address], only_idle=False, attempt=1)
        say = scheduler.stream_handlers["worker-status-change"]
        say(status="closing_gracefully", worker=address, stimulus_id="said by the worker")
        probe.fences.unfence([address], attempt=1)
        return scheduler.workers[address].status.name

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        assert await probe(world, closing, await world.address_of("a")) == "closing_gracefully"


async def test_a_worker_that_comes_again_by_the_same_address_is_not_inside_of_the_fence(shared_scheduler):
    async def come_again(probe, scheduler, addresses):
        probe.fences.fence(addresses, only_idle=False, attempt=1)
        probe.remove_worker(scheduler, addresses[0])
        scheduler.handle_worker_status_change("running", addresses[0], "as a new one")
        return await probe.leaving.finish(addresses, 1.0), list(probe.fences.fenced)

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b", "c")
        addresses = [await world.address_of(name) for name in ("a", "b")]
        answer, standing = await probe(world, come_again, addresses)
        assert (answer["state"], standing) == ("refused", [])
        assert set((await probe(world, statuses)).values()) == {"running"}


async def test_a_worker_that_has_been_given_back_is_not_made_to_go(shared_scheduler):
    async def rescue(probe, _, address):
        return await probe.leaving.rescue([address], 1.0)

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a")
        answer = await probe(world, rescue, await world.address_of("a"))
        assert "given back" in answer["refused"]


async def test_a_worker_that_was_stopped_at_the_deadline_ends_whatever_the_scheduler_says(
    shared_scheduler, counting
):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        [future] = world.client.map(counting.gated_task(), ["t"], workers=["a"], allow_other_workers=True)
        await counting.wait(1)

        async def halt():
            world.workers["a"].send_signal(signal.SIGSTOP)
            world.link.epoch += 1  # the turn is over at this very moment

        attempt = await drained(world, "a", deadline=anyio.current_time() + 0.1, halt=halt)
        assert attempt == Attempt(committed=True, lost=Lost())
        await world.workers["a"].kill()
        counting.open_gate()
        assert await world.gather(future) == "t"


async def test_the_last_one_left_stays_for_what_is_queued(shared_scheduler, counting):
    """No task becomes unrunnable by that: the scheduler has not given these to any worker yet."""
    keys = [f"t{i}" for i in range(20)]
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        futures = world.client.map(counting.gated_task(), keys)
        await counting.wait(2)
        async with draining(world, "a") as attempt:
            world.workers["b"].send_signal(signal.SIGKILL)
        assert attempt.refusal in {
            "nobody else is there for the work",
            "a: work has come that only it can do",  # what the other one had begun
        }
        counting.open_gate()
        assert await world.gather(futures) == keys


async def test_whom_the_resource_manager_is_about_to_end_is_not_given_back_for_work_that_comes(
    shared_scheduler,
):
    """Everybody else has gone, or is going: whoever gets the work must not be ended in the middle of it."""

    def fence_and_seal(probe, _, address):
        assert probe.fences.fence([address], only_idle=True, attempt=1) == {"refused": ""}
        return probe.leaving.seal([address])

    def waits(dask_scheduler):
        return bool(dask_scheduler.queued or dask_scheduler.unrunnable)

    def looked(probe, _):
        probe.fences._look()
        probe.fences._keep_one()

    waits.__module__ = "__main__"
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a")
        address = await world.address_of("a")
        assert await probe(world, fence_and_seal, address) == {"state": "sealed"}
        future = world.client.submit(pow, 2, 3)
        await until(lambda: anyio.to_thread.run_sync(world.client.run_on_scheduler, waits))
        await probe(world, looked)
        assert await probe(world, statuses) == {"a": "closing_gracefully"}
        await give_back(world.link, [address])
        assert await world.gather(future) == 8


async def test_a_worker_that_a_steal_is_on_its_way_to_is_not_ready_to_go(shared_scheduler, counting):
    def steal_fence_and_seal(probe, scheduler, victim, thief):
        stealing = scheduler.extensions["stealing"]
        victim, thief = scheduler.workers[victim], scheduler.workers[thief]
        stealing.move_task_request(list(victim.processing)[-1], victim, thief)
        assert probe.fences.fence([thief.address], only_idle=True, attempt=1) == {"refused": ""}
        return probe.leaving.seal([thief.address])

    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b")
        futures = world.client.map(
            counting.gated_task(), ["t0", "t1"], workers=["a"], allow_other_workers=True, pure=False
        )
        await counting.wait(1)
        addresses = [await world.address_of("a"), await world.address_of("b")]
        assert await probe(world, steal_fence_and_seal, *addresses) == {"state": "busy"}
        await give_back(world.link, addresses)
        counting.open_gate()
        assert await world.gather(futures) == ["t0", "t1"]
        assert counting.executions == {"t0": 1, "t1": 1}


@pytest.mark.parametrize("manager", ["running", "stopped"])
async def test_two_that_leave_have_the_same_data(shared_scheduler, manager):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("a", "b", "c")

        def scatter():
            if manager == "stopped":
                world.client.amm.stop()
            return world.client.scatter(list(range(50)), workers=["a", "b"], broadcast=True)

        try:
            data = await anyio.to_thread.run_sync(scatter)
            async with anyio.create_task_group() as tasks:
                for name in ("a", "b"):
                    tasks.start_soon(drained, world, name)
            assert set(await world.link.roster(refresh=True)) == {"c"}
            assert await world.gather(data) == list(range(50))
            assert await works(world, "c")
        finally:
            await anyio.to_thread.run_sync(world.client.amm.start)


@pytest.mark.parametrize(
    ("workers", "hosts", "able"),
    [
        (set(), set(), True),
        ({"tcp://other:1"}, set(), False),
        ({"tcp://here:1"}, set(), True),
        (set(), {"here"}, True),
        (set(), {"other"}, False),
        ({"tcp://other:1"}, {"here"}, True),
        ({"tcp://here:1"}, {"other"}, True),
        ({"tcp://other:1"}, {"other"}, False),
    ],
)
def test_a_task_may_name_workers_or_hosts(workers, hosts, able):
    scheduler = SimpleNamespace(coerce_hostname=lambda host: host)
    task = SimpleNamespace(worker_restrictions=workers, host_restrictions=hosts, resource_restrictions={})
    worker = SimpleNamespace(address="tcp://here:1", host="here", resources={})
    assert accepts(scheduler, task, worker) is able
