"""How scripts and programs with the drop-in end, well and badly: quietly, in time, and without anything left."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from distributed import Client, Worker
from distributed.deploy import Cluster
from distributed.utils_test import captured_logger
from dropin_kit import adapt, local_cluster, slow, until

from trio_adaptive.dask import Adaptive

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("dropin_script.py")
DEV = pytest.mark.parametrize("python", [[], ["-X", "dev"]], ids=["usual", "dev"])
IN = pytest.mark.parametrize("where", [[], ["processes"]], ids=["threads", "processes"])


def run(*arguments, python=()):
    """Run the script; its exit code, and what it wrote."""
    done = subprocess.run(
        [sys.executable, *python, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.split("\n")[:-1], done.stderr


# Scripts


@DEV
@IN
def test_a_script_works_and_ends_without_a_word(python, where):
    assert run(*where, python=python) == (0, ["210", "stopped"], "")


@DEV
@IN
def test_a_script_that_forgets_to_close_its_cluster(python, where):
    assert run(*where, "forget", python=python) == (0, ["210"], "")


@DEV
def test_an_exception_in_the_middle_leaves_as_itself_and_alone(python):
    code, out, err = run("raise", python=python)
    assert (code, out) == (1, ["210"])
    assert err.startswith("Traceback")
    assert err.endswith("ValueError: in the middle\n")
    assert err.count("Traceback") == 1


@DEV
@IN
def test_closing_at_once(python, where):
    assert run(*where, "at-once", python=python) == (0, ["stopped"], "")


@DEV
def test_of_three_adapts_the_last_one_counts(python):
    assert run("thrice", python=python) == (0, ["False False True", "210", "stopped"], "")


# Programs on asyncio


def test_cancelling_the_program_ends_it_and_leaves_no_task():
    async def program(begun):
        async with local_cluster() as cluster, Client(cluster, asynchronous=True) as client:
            adapt(cluster, maximum=2, interval="50ms")
            futures = client.map(slow, range(1000))
            await until(lambda: len(cluster.scheduler.workers) == 2)
            begun.set()
            await client.gather(futures)

    async def main():
        begun = asyncio.Event()
        task = asyncio.create_task(program(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not _ours(asyncio.all_tasks()))

    asyncio.run(asyncio.wait_for(main(), 30))


def _ours(tasks):
    return [task for task in tasks if "trio_adaptive" in repr(task.get_coro())]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_closing_under_a_launch_is_no_trouble(again):
    begun = asyncio.Event()

    class Late(Worker):
        async def start_unsafe(self):
            begun.set()
            await asyncio.sleep(0.3)  # for the cluster to be closed meanwhile
            return await super().start_unsafe()

    async def main():
        async with local_cluster(worker_class=Late) as cluster:
            adaptive = adapt(cluster, minimum=1, interval="20ms")
            await begun.wait()
            if again:  # which waits for the launch of the first one
                adaptive = adapt(cluster, minimum=1, interval="20ms")
        assert adaptive.state == "stopped"
        await until(lambda: not _ours(asyncio.all_tasks()))

    with captured_logger("distributed.deploy.adaptive", level=logging.WARNING) as log:
        asyncio.run(asyncio.wait_for(main(), 30))
    assert not log.getvalue()


# Clusters of other kinds


class Counted(Cluster):
    """Of `Cluster` alone: it starts and closes workers, and tells of none of them."""

    def __init__(self, scheduler):
        super().__init__(asynchronous=True)
        self._scheduler = scheduler
        self.own = {}

    async def start(self):
        self.scheduler_comm = self._scheduler.scheduler_comm
        await self._start()
        return self

    @property
    def scheduler_address(self):
        return self._scheduler.scheduler_address

    async def scale(self, n):
        for number in range(100):
            if len(self.own) >= n:
                return
            if (name := f"own-{number}") not in self.own:
                self.own[name] = await Worker(self.scheduler_address, name=name, nthreads=1)

    async def scale_down(self, names):
        for name in names:  # one that is still closing when the loop ends would keep it from ending
            await self.own[name].close()
            self.own.pop(name, None)


class Named(Counted):
    """With sets of names, as batch systems' older classes have."""

    @property
    def plan(self):
        return set(self.own)

    requested = observed = plan


@pytest.mark.parametrize("kind", [Named, Counted])
def test_a_cluster_class_of_ones_own(kind):
    asyncio.run(asyncio.wait_for(adapts_and_ends(kind), 30))


async def adapts_and_ends(kind):
    async with local_cluster() as outer:
        cluster = await kind(outer).start()
        try:
            async with Client(cluster.scheduler_address, asynchronous=True) as client:
                adaptive = adapt(cluster, Adaptive, maximum=3, interval="20ms", wait_count=2)
                futures = client.map(slow, range(100), delay=0.05)
                await until(lambda: len(cluster.own) == 3)
                assert sum(await client.gather(futures)) == 5050
                del futures
                await until(lambda: not cluster.own)
                assert {name for _, e in adaptive.log for name in e.get("workers", ())} >= {"own-0"}
        finally:
            await cluster.close()
        assert adaptive.state == "stopped"
