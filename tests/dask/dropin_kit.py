"""What the tests of the drop-in share: clusters in an asyncio loop of the test's own, and patience."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

from distributed import LocalCluster

from trio_adaptive.dask import Adaptive


@asynccontextmanager
async def local_cluster(**options):
    """A cluster without workers, in this loop and this process."""
    usual = {"n_workers": 0, "processes": False, "threads_per_worker": 1, "dashboard_address": ":0"}
    async with LocalCluster(asynchronous=True, silence_logs=False, **{**usual, **options}) as cluster:
        yield cluster


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def in_loop(test):
    """Run a test in an asyncio loop of its own."""

    def run():
        asyncio.run(asyncio.wait_for(test(), 30))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


def adapt(cluster, adaptive=Adaptive, **options):
    return cluster.adapt(Adaptive=adaptive, **options)


def slow(x, delay=0.1):
    time.sleep(delay)
    return x + 1
