"""The scheduler's own events: they wake at once, and the stream is mended when it breaks."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import pytest
from dask_worlds import a_fragile_scheduler, a_world
from real_dask import LIMIT, a_client, until

from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.dask.events import TOPICS, watch_scheduler

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


class Wakes:
    """Counts wake-ups; ``await wakes.after(n)`` returns when there have been more than ``n``."""

    def __init__(self):
        self.count = 0
        self._news = anyio.Event()

    def wake(self):
        self.count += 1
        self._news.set()
        self._news = anyio.Event()

    async def after(self, n):
        while self.count <= n:
            await self._news.wait()


@asynccontextmanager
async def watching(link):
    wakes = Wakes()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_scheduler, link, wakes.wake)
        yield wakes
        tasks.cancel_scope.cancel()


async def subscribed(client):
    """Wait until the scheduler has taken the subscriptions in: what it has done before is told to nobody."""

    def subscribers(dask_scheduler):
        return [len(dask_scheduler._broker._topics[topic].subscribers) for topic in topics]

    topics = TOPICS

    async def everywhere():
        return all(await anyio.to_thread.run_sync(client.run_on_scheduler, subscribers))

    await until(everywhere)


async def test_a_submitted_task_wakes(shared_scheduler):
    async with a_world(shared_scheduler) as world, watching(world.link) as wakes:
        await subscribed(world.client)
        before = wakes.count
        future = world.client.submit(sum, [1, 2], pure=False)
        await wakes.after(before)
        future.release()


async def test_workers_that_come_and_go_wake_and_make_the_next_roster_fresh(shared_scheduler):
    async with a_world(shared_scheduler) as world, watching(world.link) as wakes:
        await subscribed(world.client)
        assert await world.link.roster() == {}
        before = wakes.count
        await world.start("a", wait=False)
        await wakes.after(before)
        assert set(await world.link.roster()) == {"a"}
        before = wakes.count
        world.workers["a"].send_signal(signal.SIGKILL)
        await wakes.after(before)
        assert await world.link.roster() == {}


async def test_a_burst_of_graphs_costs_few_wake_ups_and_none_is_missed(shared_scheduler):
    async with a_world(shared_scheduler) as world, watching(world.link) as wakes:
        await subscribed(world.client)
        before = wakes.count
        futures = [world.client.submit(sum, [i], pure=False) for i in range(100)]

        async def all_arrived():
            return await world.link.ask("adaptive_target", target_duration=0.001) > 0

        await wakes.after(before)
        await until(all_arrived)
        assert wakes.count - before <= 100
        del futures


async def test_the_stream_is_mended_when_the_scheduler_comes_back_at_the_same_address():
    with anyio.fail_after(LIMIT):
        async with a_fragile_scheduler() as (link, process), watching(link) as wakes:
            await wakes.after(0)
            before = wakes.count
            process.send_signal(signal.SIGKILL)
            await wakes.after(before)  # that it broke is news as well
            await process.wait()
            before = wakes.count
            port = int(link.address.rsplit(":", 1)[1])
            async with embedded_scheduler(port=port, dashboard_address=None) as again:
                assert again.address == link.address
                await wakes.after(before)
                async with a_client(again.address) as client:
                    await subscribed(client)
                    before = wakes.count
                    future = client.submit(sum, [1, 2], pure=False)
                    await wakes.after(before)
                    future.release()


async def test_leaving_takes_the_subscription_back(shared_scheduler):
    def count(dask_scheduler):
        return sum(len(dask_scheduler._broker._topics[topic].subscribers) for topic in topics)

    topics = TOPICS
    async with a_world(shared_scheduler) as world:
        asking = partial(anyio.to_thread.run_sync, world.client.run_on_scheduler, count)
        before = await asking()
        async with watching(world.link):
            await subscribed(world.client)
            assert await asking() == before + len(TOPICS)

        async def as_before():
            return await asking() == before

        await until(as_before)
