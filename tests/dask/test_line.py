"""The line between driver and scheduler: one driver at a time, wake-ups within milliseconds, mended when it breaks."""

from __future__ import annotations

import signal
from functools import partial

import anyio
import anyio.to_thread
import pytest
from dask_worlds import a_fragile_scheduler, a_world
from drain_kit import has_status
from line_kit import (
    TTL,
    a_driver_on,
    a_driver_process,
    another_driver,
    cut,
    on_scheduler,
    until_driven_by,
    who_drives,
)
from real_dask import LIMIT, a_client, until

from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link
from trio_adaptive.dask.probe.talk import PAUSE
from trio_adaptive.errors import AlreadyDriven, SchedulerUnreachable

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

SOON = 1.0
"""For what takes milliseconds on a machine with nothing else to do, in seconds."""


# The lease


async def test_a_second_driver_is_refused_by_the_first_ones_name(shared_scheduler):
    async with a_world(shared_scheduler) as world, a_driver_on(world.link, "the night shift") as first:
        with pytest.raises(AlreadyDriven, match=r"is driven by the night shift, for \d+ s now"):
            async with another_driver(shared_scheduler):
                pytest.fail("there are two")
        assert await who_drives(world.client) == "the night shift"
        assert not first.over


async def test_one_of_the_same_name_is_waited_for_a_moment_since_it_may_have_ended_already(shared_scheduler):
    """A connection that has been closed is seen to be so by a scheduler that stood still only when it goes on."""
    async with a_world(shared_scheduler) as world:
        async with a_driver_on(world.link, "ours"):
            with pytest.raises(AlreadyDriven, match="is driven by ours"):
                async with another_driver(shared_scheduler, "ours"):
                    pytest.fail("there are two")
        async with anyio.create_task_group() as tasks, open_link(shared_scheduler) as link:

            async def first():
                async with open_line(link, "ours"):
                    began.set()
                    await anyio.sleep(0.5)

            began = anyio.Event()
            tasks.start_soon(first)
            await began.wait()
            async with another_driver(shared_scheduler, "ours"):
                assert await who_drives(world.client) == "ours"


async def test_the_next_one_may_drive_as_soon_as_the_one_before_has_left(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        epochs = []
        for name in ("a", "b", "a"):
            async with open_line(world.link, name):
                epochs.append(world.link.epoch)
            assert world.link.epoch is None
        assert epochs == sorted(set(epochs))


async def test_who_takes_over_drives_and_the_one_before_is_told(shared_scheduler):
    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as first:
        await world.start("a")
        await world.link.order("fence", addresses=[await world.address_of("a")], only_idle=False, attempt=1)
        await has_status(world, "a", "closing_gracefully")
        async with another_driver(shared_scheduler, "second", take_over=True) as second:
            with anyio.fail_after(SOON):
                await first.until_over()
            assert first.over == "taken over by second"
            assert first.link.epoch is None
            await has_status(world, "a", "running")
            with pytest.raises(AlreadyDriven, match="driven by second"):
                await first.link.order("fence", addresses=[], only_idle=False, attempt=1)
            assert not second.over
        assert await who_drives(world.client) is None


async def test_of_twenty_at_once_one_wins(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        winners, losers, end = [], [], anyio.Event()

        async def try_it(number):
            async with open_link(shared_scheduler) as link:
                try:
                    async with open_line(link, f"number {number}"):
                        winners.append(number)
                        await end.wait()
                except AlreadyDriven as error:
                    losers.append(str(error))
                if len(losers) == 19:
                    end.set()

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(try_it, number)
        assert len(winners) == 1
        assert all(f"driven by number {winners[0]}," in error for error in losers)
        assert await who_drives(world.client) is None


async def test_a_killed_driver_makes_room_at_once_and_what_it_had_fenced_works_again(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        await world.start("a")
        async with a_driver_process(shared_scheduler, ttl=60) as process:
            await _fence_as_the_driver(world, "a")
            process.send_signal(signal.SIGKILL)
            with anyio.fail_after(SOON):
                await until_driven_by(world.client, None)
        await has_status(world, "a", "running")


async def test_a_driver_that_stands_still_loses_the_lease_and_learns_it(shared_scheduler):
    async with (
        a_world(shared_scheduler) as world,
        a_driver_process(shared_scheduler, "the sleeper") as process,
    ):
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(AlreadyDriven, match="the sleeper"):
            await _drive_once(shared_scheduler)
        await until_driven_by(world.client, None)
        async with another_driver(shared_scheduler, "second") as second:
            process.send_signal(signal.SIGCONT)
            assert await process.wait() == 1
            assert "driven by second" in process.output
            assert not second.over


async def _drive_once(address):
    async with another_driver(address):
        pass


async def _fence_as_the_driver(world, name):
    """What the driver's own process would do, done in the scheduler."""
    address = await world.address_of(name)

    def fence(dask_scheduler):
        dask_scheduler.plugins["trio-adaptive"].fences.fence([address], only_idle=False, attempt=1)

    await anyio.to_thread.run_sync(world.client.run_on_scheduler, fence)
    await has_status(world, name, "closing_gracefully")


async def test_a_restart_of_all_workers_keeps_the_lease(shared_scheduler):
    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as driver:
        await world.start("a")
        epoch = world.link.epoch
        before = driver.wakes
        await anyio.to_thread.run_sync(partial(world.client.restart, wait_for_workers=False))
        await driver.after(before)
        assert await who_drives(world.client) == "first"
        await world.link.order("fence", addresses=[], only_idle=False, attempt=1)
        assert world.link.epoch == epoch


# Wake-ups


async def test_what_happens_to_work_and_workers_wakes(shared_scheduler):
    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as driver:

        async def wakes(happening, within=SOON):
            before = await driver.until_quiet()
            result = await happening()
            with anyio.fail_after(within):
                await driver.after(before)
            return result

        async def submit(*arguments, **options):
            return world.client.submit(*arguments, pure=False, **options)

        new = await wakes(partial(submit, sum, [1, 2]))  # new work, which nobody can do
        assert await world.link.roster() == {}
        await wakes(partial(world.start, "a", wait=False), within=LIMIT)
        assert set(await world.link.roster()) == {"a"}
        assert await world.gather(new) == 3
        blocked = await wakes(partial(submit, sum, [1, 2], resources={"GPU": 1}))
        blocked.release()
        before = await driver.until_quiet()
        busy = await submit(sum, [3, 4])
        await world.gather(busy)
        with anyio.fail_after(SOON):
            await driver.after(before)  # new work, and then an idle worker

        async def kill():
            world.workers["a"].send_signal(signal.SIGKILL)

        await wakes(kill)
        assert await world.link.roster() == {}


async def test_a_thousand_tasks_are_a_handful_of_wake_ups(shared_scheduler):
    def n_waiting(dask_scheduler):
        return len(dask_scheduler.queued) + len(dask_scheduler.unrunnable)

    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as driver:
        before = await driver.until_quiet()
        begun = anyio.current_time()
        futures = world.client.map(lambda i: i, range(1000), pure=False)

        async def all_wait():
            return await on_scheduler(world.client, n_waiting) == 1000

        await until(all_wait)
        count = await driver.until_quiet() - before
        assert 1 <= count <= 3 + (anyio.current_time() - begun) / PAUSE
        assert count < 50
        del futures


# Broken lines


async def test_a_broken_line_is_mended_and_calls_for_a_full_look(shared_scheduler):
    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as driver:
        await driver.until_quiet()
        await world.link.roster()
        epoch, before = world.link.epoch, driver.wakes
        await cut(world.client)
        await driver.after(before)

        async def mended():
            return world.link.epoch != epoch

        await until(mended)
        assert await who_drives(world.client) == "first"
        assert await world.link.roster() == {}
        before = await driver.until_quiet()
        future = world.client.submit(sum, [1, 2], pure=False)
        await driver.after(before)
        future.release()
        assert not driver.over


async def test_who_finds_another_one_at_the_wheel_gives_up(shared_scheduler, monkeypatch):
    monkeypatch.setattr("trio_adaptive.dask.line.RETRY_FIRST", 0.3)
    async with a_world(shared_scheduler) as world, a_driver_on(world.link) as first:
        await cut(world.client)
        await until_driven_by(world.client, None)
        with pytest.raises(SchedulerUnreachable, match="no line"):
            await world.link.identity()
        async with another_driver(shared_scheduler, "second"):
            await first.until_over()
            assert "is driven by second" in first.over
            assert world.link.epoch is None


async def test_the_line_is_mended_when_the_scheduler_comes_back_at_the_same_address():
    with anyio.fail_after(LIMIT):
        async with a_fragile_scheduler() as (link, process), a_driver_on(link) as driver:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            port = int(link.address.rsplit(":", 1)[1])
            async with (
                embedded_scheduler(port=port, dashboard_address=None) as again,
                a_client(again.address) as client,
            ):
                await until_driven_by(client, "first")
                before = await driver.until_quiet()
                future = client.submit(sum, [1, 2], pure=False)
                await driver.after(before)
                future.release()


async def test_a_scheduler_that_stood_still_is_driven_by_the_same_one_again():
    with anyio.fail_after(LIMIT):
        async with (
            a_fragile_scheduler() as (link, process),
            a_client(link.address) as client,
            a_driver_on(link, ttl=TTL) as driver,
        ):
            before, epoch = await driver.until_quiet(), link.epoch
            process.send_signal(signal.SIGSTOP)
            await driver.after(before)  # the line is given up
            process.send_signal(signal.SIGCONT)

            async def drives_again():
                return link.epoch != epoch

            await until(drives_again)
            assert await who_drives(client) == "first"
            assert not driver.over


async def test_a_scheduler_that_cannot_be_reached_is_driven_as_soon_as_it_can_be(monkeypatch):
    with anyio.fail_after(LIMIT):
        async with a_fragile_scheduler() as (link, process):
            process.send_signal(signal.SIGKILL)
            await process.wait()
            port = int(link.address.rsplit(":", 1)[1])
            # One attempt to connect to nobody takes distributed as long as its timeout.
            monkeypatch.setattr("trio_adaptive.dask.line.FIRST", 0.2)
            async with a_driver_on(link):
                with pytest.raises(SchedulerUnreachable, match="no line"):
                    await link.target(5.0)
                async with (
                    embedded_scheduler(port=port, dashboard_address=None) as again,
                    a_client(again.address) as client,
                ):
                    await until_driven_by(client, "first")
