"""Real schedulers and workers, and a client whose blocking calls run in threads."""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
from real_dask import LIMIT, a_client, until

from trio_adaptive.clusters.process import child_process, run_process
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import worker_command
from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link

WORKER_NAMED_BY_NUMBER = """
import asyncio, sys
import distributed
async def main():
    async with distributed.Worker(sys.argv[1], name=int(sys.argv[2]), nthreads=1, dashboard=False) as worker:
        await worker.finished()
asyncio.run(main())
"""


class World:
    """A scheduler with its link and its client, and workers on demand; everything ends with the test."""

    def __init__(self, address, link, client, tasks):
        self.address = address
        self.link = link
        self.client = client
        self.workers = {}
        self._tasks = tasks

    async def start(self, *names, wait=True):
        """Start ``dask worker`` processes of one thread each and wait until they are ready for work."""
        template = worker_command()
        commands = [[part.format(address=self.address, name=name) for part in template] for name in names]
        await self._start(names, commands, wait=wait)

    async def start_numbered(self, number):
        """Start a worker whose name is a number, as those of a ``LocalCluster`` are."""
        command = [sys.executable, "-c", WORKER_NAMED_BY_NUMBER, self.address, str(number)]
        await self._start([str(number)], [command])

    async def _start(self, names, commands, *, wait=True):
        for name, command in zip(names, commands, strict=True):
            self.workers[name] = await self._tasks.start(run_process, child_process(command))
        if wait:
            await until(partial(self._registered, names))

    async def _registered(self, names):
        roster = await self.link.roster(refresh=True)
        return all(name in roster and roster[name].status == "running" for name in names)

    async def address_of(self, name):
        return (await self.link.roster(refresh=True))[name].address

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)


@asynccontextmanager
async def a_world(address, *, driven=False, plugins=True):
    """A scheduler that other tests use as well, without the workers of those before.

    With ``driven`` the world's link is its driver's, and the probe is in it unless it takes no ``plugins``.
    """
    with anyio.fail_after(LIMIT):
        async with open_link(address) as link, a_driver(link, driven, plugins), a_client(address) as client:

            async def is_empty():
                return not await link.roster(refresh=True)

            await until(is_empty)
            async with anyio.create_task_group() as tasks:
                world = World(address, link, client, tasks)
                try:
                    yield world
                finally:
                    for worker in world.workers.values():
                        worker.send_signal(signal.SIGKILL)


@asynccontextmanager
async def a_driver(link, driven, plugins):
    """Whether or not this link drives its scheduler."""
    if not driven:
        yield
        return
    async with open_line(link, "a test", take_over=False):
        assert (link.epoch is not None, link.degraded == "") == (plugins, plugins), link.degraded
        yield


@asynccontextmanager
async def a_fragile_scheduler(port=0):
    """A link to a scheduler of the test's own, to be stopped and killed, and its process."""
    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(port=port, dashboard_address=None) as scheduler,
            open_link(scheduler.address) as link,
        ):
            try:
                yield link, scheduler.process
            finally:
                scheduler.process.send_signal(signal.SIGKILL)
