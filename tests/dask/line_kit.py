"""What the tests of the line share: drivers in processes of their own, counted wake-ups, and a look into the scheduler."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from dask_worlds import World
from real_dask import until

from trio_adaptive.clusters.process import child_process
from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link
from trio_adaptive.errors import AlreadyDriven

DRIVER = """
import sys
import anyio
from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link
async def main(address, driver, ttl):
    async with open_link(address) as link, open_line(link, driver, ttl=float(ttl)) as line:
        print("driving", flush=True)
        await line.watch(lambda: None)
anyio.run(main, *sys.argv[1:])
"""

TTL = 0.8
"""Of lines that have to end by silence, in seconds."""


class Driver:
    """Somebody who drives, or did.

    Attributes:
        wakes: how many wake-ups there have been.
        over: why the turn has ended; empty before.
    """

    def __init__(self, link):
        self.link = link
        self.wakes = 0
        self.over = ""
        self._news = anyio.Event()

    def _tell(self):
        self._news.set()
        self._news = anyio.Event()

    def wake(self):
        self.wakes += 1
        self._tell()

    async def watch(self, line):
        try:
            await line.watch(self.wake)
        except AlreadyDriven as error:
            self.over = str(error)
            self._tell()

    async def after(self, n):
        """Wait until there have been more than so many wake-ups."""
        while self.wakes <= n:
            await self._news.wait()

    async def until_over(self):
        while not self.over:
            await self._news.wait()

    async def until_quiet(self, seconds=0.15):
        """Wait until there has been no wake-up for so long; returns how many there have been."""
        while True:
            before = self.wakes
            with anyio.move_on_after(seconds):
                await self.after(before)
            if self.wakes == before:
                return before


@asynccontextmanager
async def a_driver_on(link, name="first", **options):
    """Somebody who drives over this link."""
    driver = Driver(link)
    async with open_line(link, name, **options) as line, anyio.create_task_group() as tasks:
        tasks.start_soon(driver.watch, line)
        yield driver
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def another_driver(address, name="second", **options):
    """Somebody who drives over a link of their own."""
    async with open_link(address) as link, a_driver_on(link, name, **options) as driver:
        yield driver


@asynccontextmanager
async def a_driver_process(address, name="first", ttl=TTL):
    """A driver in a process of its own, which drives when the block begins."""
    command = [sys.executable, "-c", DRIVER, address, name, str(ttl)]
    async with child_process(command, grace=0.1) as process:
        while "driving" not in process.output:
            assert process.returncode is None, process.output
            await anyio.sleep(0.01)
        yield process


async def on_scheduler(client, function):
    """What a function says of the scheduler; it is sent there by value."""
    return await anyio.to_thread.run_sync(client.run_on_scheduler, function)


async def installed(world: World):
    """Whatever the probe leaves in a scheduler: nothing else changes it between two of these looks."""

    def look(dask_scheduler):
        handlers = {
            name: str(function)
            for table in (dask_scheduler.handlers, dask_scheduler.stream_handlers)
            for name, function in table.items()
        }
        plugins = {name: type(plugin).__name__ for name, plugin in dask_scheduler.plugins.items()}
        own = {name: str(value) for name, value in vars(dask_scheduler).items() if callable(value)}
        steals = dask_scheduler.extensions.get("stealing")
        return handlers, plugins, sorted(own), sorted(vars(steals))

    return await on_scheduler(world.client, look)


async def who_drives(client):
    """The driver's name; None without a probe."""

    def look(dask_scheduler):
        probe = dask_scheduler.plugins.get("trio-adaptive")
        return None if probe is None else probe.lines.driver

    return await on_scheduler(client, look)


async def until_driven_by(client, name):
    async def so():
        return await who_drives(client) == name

    await until(so)


async def cut(client):
    """Let the driver's connection break."""

    def look(dask_scheduler):
        dask_scheduler.plugins["trio-adaptive"].lines._talk.hang_up()

    await on_scheduler(client, look)
