"""What tests with a real scheduler share: a client, tasks that are counted, and patience."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import distributed

LIMIT = 30.0  # seconds, for a machine with much else to do; what waits takes a fraction of it


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
