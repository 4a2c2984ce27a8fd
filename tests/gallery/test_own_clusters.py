"""Cluster classes of a user's own, as small as they can be: upstream's ways of writing one keep working."""

from __future__ import annotations

import itertools
import subprocess
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import distributed
import pytest
from distributed.core import rpc
from distributed.deploy import Cluster
from gallery_scenes import a_dask_scene, observed, outcomes, until_so
from real_dask import LIMIT

from trio_adaptive import adaptive
from trio_adaptive.clusters.template import worker_command
from trio_adaptive.testing import check_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]


class Own(Cluster):
    """A scheduler, and nothing that tells of workers."""

    def __init__(self):
        super().__init__()
        self.members = {}
        self.numbers = itertools.count()
        self._loop_runner.start()
        self.sync(self._start)

    async def _start(self):
        self.scheduler = await distributed.Scheduler(dashboard_address="127.0.0.1:0", port=0)
        self.scheduler_comm = rpc(self.scheduler.address)
        await super()._start()

    async def _close(self):
        await super()._close()
        await self.end()
        await self.scheduler.close()
        self._loop_runner.stop()


class OnItsLoop(Own):
    """With ``scale`` and ``scale_down``, and workers named by numbers."""

    async def scale(self, n):
        self.members = {i: w for i, w in self.members.items() if w.status.name == "running"}
        while len(self.members) < n:
            number = next(self.numbers)
            self.members[number] = await distributed.Worker(self.scheduler.address, name=number, nthreads=1)

    async def scale_down(self, workers):
        for name in workers:
            await self.members.pop(int(name)).close()

    async def end(self):
        await self.scale_down(list(self.members))


class Processes(Own):
    """As in the documentation of ``distributed.deploy.Adaptive``: with ``scale_up`` in the place of ``scale``."""

    def scale_up(self, n):
        while len(self.members) < n:
            name = f"own-{next(self.numbers)}"
            command = [part.format(address=self.scheduler.address, name=name) for part in worker_command()]
            self.members[name] = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def scale_down(self, workers):
        for name in workers:
            process = self.members.pop(name)
            process.kill()  # at once: one that ends by itself says goodbye to the scheduler, which lives on this loop
            process.wait()

    async def end(self):
        self.scale_down(list(self.members))


@pytest.mark.parametrize("kind", [OnItsLoop, Processes])
async def test_it_is_adapted_and_every_task_runs_once(kind, counting):
    """dask/distributed#2330 and dask/distributed#4720: ``scale`` as it is written down, plain or to be awaited."""
    options = {"maximum": 2, "interval": 0.1, "idle_timeout": 0.3, "target_duration": 0.1}
    keys = [f"t{i}" for i in range(8)]
    async with a_dask_scene(kind) as scene, adaptive(scene.cluster, **options) as scaler:
        futures = scene.client.map(counting.task(), keys, [0.1] * 8, pure=False)
        await until_so(scaler, lambda: observed(scaler) == 2)
        assert await scene.gather(futures) == keys
        del futures
        await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 2)
        assert {outcome.result for outcome in outcomes(scaler, "drain")} == {"done"}
        assert counting.executions == dict.fromkeys(keys, 1)
        assert scene.cluster.members == {}


@pytest.mark.parametrize("kind", [OnItsLoop, Processes])
async def test_it_keeps_the_rules_of_an_adapter(kind):
    @asynccontextmanager
    async def opening():
        cluster = await anyio.to_thread.run_sync(kind)
        try:
            yield cluster
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(cluster.close)

    await check_cluster(opening, timeout=LIMIT)
