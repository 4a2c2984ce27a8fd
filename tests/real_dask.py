"""What tests with a real scheduler share: a client, tasks that are counted, and patience."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import distributed
import sniffio
from attrs import evolve

from trio_adaptive.clusters.process import child_process
from trio_adaptive.clusters.template import WorkerTemplate

WITHOUT_US = """
import sys
sys.modules["trio_adaptive"] = None
from distributed.cli.dask_scheduler import main
main()
"""
"""A scheduler in which every import of this package fails."""

FORBIDDEN = {"DASK_DISTRIBUTED__SCHEDULER__BLOCKED_HANDLERS": "['register_scheduler_plugin']"}
"""The environment of a scheduler that takes no plugins."""

LIMIT = 30.0  # seconds, for a machine with much else to do; what waits takes a fraction of it


def either_way(template=None):
    """A template by which each test sees both kinds of start: on Trio its workers are forked, where they can be."""
    template = template or WorkerTemplate()
    can_fork = sys.platform == "linux" and template.command[:2] == (sys.executable, "-m")
    return evolve(template, warm=can_fork and sniffio.current_async_library() == "trio")


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
async def a_scheduler_without_us(folder, env=None):
    """The address of a scheduler on a machine that does not have this package, as far as it can tell.

    Args:
        folder: an empty one, in which the scheduler leaves its address.
        env: more of its environment.
    """
    file = folder / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    command = [sys.executable, "-c", WITHOUT_US, *options]
    async with child_process(command, env={**os.environ, **(env or {})}, grace=2) as process:
        with anyio.fail_after(LIMIT):
            while (address := _address(file)) is None:
                assert process.returncode is None, process.output
                await anyio.sleep(0.01)
        yield address


def _address(file):
    try:
        return json.loads(file.read_text())["address"]
    except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or not written to its end
        return None


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
