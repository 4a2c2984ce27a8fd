"""The drain with stock handlers alone: who is refused works on, whatever the worker says meanwhile."""

from __future__ import annotations

import signal

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from dask_worlds import a_world
from drain_kit import Attempt, has_status, leaving, works

from trio_adaptive.dask.fence import drain, set_status
from trio_adaptive.errors import DrainRefused

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


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


async def test_the_only_copy_of_data_keeps_its_worker_which_works_on(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        [kept] = await anyio.to_thread.run_sync(lambda: world.client.scatter([41], workers=["a"]))
        for _ in range(2):  # a second time it is refused as well as the first
            attempt = Attempt()
            with pytest.raises(DrainRefused, match="fits on no other worker"):
                await drain(world.link, leaving([await world.address_of("a")], attempt))
            assert attempt.committed
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
            await drain(world.link, leaving([await world.address_of("a")]))
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
            await drain(world.link, leaving([address]))
        assert second_time
        assert await works(world, "a")
        assert await world.gather(kept) == 41
