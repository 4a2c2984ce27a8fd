"""Real schedulers and workers, and a client whose blocking calls run in threads."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import distributed

from trio_adaptive.clusters.process import child_process
from trio_adaptive.clusters.template import worker_command
from trio_adaptive.dask.link import open_link

LIMIT = 20.0  # seconds, for a machine with much else to do; what waits takes a fraction of one

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

    def __init__(self, address, link, client, stack):
        self.address = address
        self.link = link
        self.client = client
        self.workers = {}
        self._stack = stack

    async def start(self, *names, more=()):
        """Start ``dask worker`` processes of one thread each and wait until they have registered."""
        template = worker_command(more=more)
        commands = [[part.format(address=self.address, name=name) for part in template] for name in names]
        await self._start(names, commands)

    async def start_numbered(self, number):
        """Start a worker whose name is a number, as those of a ``LocalCluster`` are."""
        command = [sys.executable, "-c", WORKER_NAMED_BY_NUMBER, self.address, str(number)]
        await self._start([str(number)], [command])

    async def _start(self, names, commands):
        for name, command in zip(names, commands, strict=True):
            self.workers[name] = await self._stack.enter_async_context(child_process(command))
            self._stack.callback(self.workers[name].send_signal, signal.SIGKILL)
        await until(partial(self._registered, names))

    async def _registered(self, names):
        roster = await self.link.roster(refresh=True)
        return all(name in roster and roster[name].status == "running" for name in names)

    async def address_of(self, name):
        return (await self.link.roster(refresh=True))[name].address

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)


async def until(condition):
    """Ask until it is so: what other processes do is no event of ours."""
    while not await condition():
        await anyio.sleep(0.01)


@asynccontextmanager
async def a_client(address, security=None):
    """A client that lives on a thread of its own."""
    opening = partial(distributed.Client, address, security=security, set_as_default=False)
    client = await anyio.to_thread.run_sync(opening)
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(partial(client.close, timeout=2))


@asynccontextmanager
async def a_world(address):
    async with open_link(address) as link, a_client(address) as client, AsyncExitStack() as stack:
        yield World(address, link, client, stack)


class Counting:
    """Tasks that leave a mark in a file of their own for each time they are executed.

    They are closures, which are sent to the workers by value; a function of a test module could not be imported there.
    """

    def __init__(self, folder):
        self._folder = folder / "executions"
        self._folder.mkdir()
        self._gate = folder / "gate"

    def task(self):
        """A function ``(key, seconds)`` that takes so long."""
        folder = self._folder

        def work(key, seconds):
            with (folder / key).open("a") as file:
                file.write("x")
            time.sleep(seconds)
            return key

        return work

    def gated_task(self):
        """A function ``(key)`` that takes until `open_gate`."""
        folder, gate = self._folder, self._gate

        def work(key):
            with (folder / key).open("a") as file:
                file.write("x")
            end = time.monotonic() + 60
            while not gate.exists() and time.monotonic() < end:
                time.sleep(0.005)
            return key

        return work

    def open_gate(self):
        self._gate.touch()

    @property
    def executions(self):
        """How many times each key was executed, of those that were."""
        return {file.name: len(file.read_text()) for file in self._folder.iterdir()}

    async def wait(self, n):
        """Wait until ``n`` keys have been begun."""
        while len(self.executions) < n:
            await anyio.sleep(0.01)
