"""A real cluster in a scaler's hands, and ways to wait for what happens there."""

from __future__ import annotations

import inspect
import logging
from contextlib import aclosing, asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import distributed
from attrs import frozen
from real_dask import LIMIT, a_client, either_way, until

from trio_adaptive.clusters.command import CommandCluster, command_cluster
from trio_adaptive.clusters.process import child_process
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import Cancel, Drain, Launch

REFUSAL = "no licence today"


class FlakyWorker(distributed.Worker):
    """One whose first start in a process fails."""

    attempts = 0

    async def start_unsafe(self):
        FlakyWorker.attempts += 1
        if FlakyWorker.attempts == 1:
            raise OSError(REFUSAL)
        return await super().start_unsafe()


@frozen
class Scene:
    """A scheduler, a cluster of worker processes without any so far, and a client."""

    cluster: CommandCluster
    client: distributed.Client

    @property
    def address(self):
        return self.client.scheduler.address

    async def roster(self):
        """The registered workers by name."""
        return await self.cluster._link.roster(refresh=True)

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)

    async def scatter(self, values):
        return await anyio.to_thread.run_sync(self.client.scatter, values, abandon_on_cancel=True)

    async def until_running(self, n):
        """Wait until ``n`` workers take tasks, which is a moment after they have registered."""

        async def running():
            return sum(worker.status == "running" for worker in (await self.roster()).values()) == n

        await until(running)


@frozen
class DaskScene:
    """A cluster object of ``distributed`` in a thread, and a client."""

    cluster: distributed.deploy.Cluster
    client: distributed.Client

    async def gather(self, futures):
        return await anyio.to_thread.run_sync(self.client.gather, futures, abandon_on_cancel=True)

    async def on_loop(self, function, *arguments):
        """Call it on the cluster's loop, and await what it returns."""

        async def calling():
            answer = function(*arguments)
            return await answer if inspect.isawaitable(answer) else answer

        return await anyio.to_thread.run_sync(self.cluster.sync, calling)


@asynccontextmanager
async def a_dask_scene(opening):
    """The scene with the cluster object that ``opening`` makes."""
    with anyio.fail_after(LIMIT):
        cluster = await anyio.to_thread.run_sync(opening)
        try:
            async with a_client(cluster.scheduler_address) as client:
                yield DaskScene(cluster, client)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(cluster.close)


def threads(n_workers=0, kind=distributed.Worker, cluster=distributed.LocalCluster, **options):
    """Opens a ``LocalCluster`` whose workers are in this process."""
    return partial(
        cluster,
        n_workers=n_workers,
        threads_per_worker=1,
        processes=False,
        worker_class=kind,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        **options,
    )


@asynccontextmanager
async def a_scene(template=None):
    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            a_scene_at(scheduler.address, template) as scene,
        ):
            yield scene


@asynccontextmanager
async def a_scene_at(address, template=None):
    """The scene at a scheduler that is there already."""
    async with command_cluster(address, either_way(template)) as cluster, a_client(address) as client:
        yield Scene(cluster, client)


def dask_workers(*more, nthreads=1):
    """A template of worker processes with further arguments of ``dask worker``."""
    return WorkerTemplate(worker_command(nthreads=nthreads, more=more))


@asynccontextmanager
async def a_stranger(scene, name, *more):
    """A worker process that somebody else has started."""
    command = [part.format(address=scene.address, name=name) for part in worker_command(more=more)]
    async with child_process(command, grace=2):

        async def is_here():
            roster = await scene.roster()
            return name in roster and roster[name].status == "running"

        await until(is_here)
        yield


async def until_so(scaler, condition):
    """Wait until it is so, looking whenever there is a record."""
    if condition():
        return
    async with aclosing(scaler.records()) as records:
        async for _ in records:
            if condition():
                return
    raise AssertionError("adapting has ended")


async def looks(scaler, n):
    """Wait for so many more looks at the cluster."""
    enough = scaler.statistics().samples + n
    await until_so(scaler, lambda: scaler.statistics().samples >= enough)


def observed(scaler):
    return scaler.statistics().counts.observed


def given_back(scaler):
    """The decisions that gave units back, in the order of their making."""
    decisions = [record.decision for record in scaler.history if record.decision is not None]
    return [d for d in decisions if any(isinstance(action, Drain | Cancel) for action in d.actions)]


def outcomes(scaler, action):
    return [r.outcome for r in scaler.history if r.outcome is not None and r.outcome.action == action]


def decided(scaler, kind):
    """What was decided of this kind: pairs of time and units, in the order of their making."""
    decisions = [record.decision for record in scaler.history if record.decision is not None]
    return [(d.at, action.units) for d in decisions for action in d.actions if isinstance(action, kind)]


def launched(scaler):
    """How many units were ever asked for."""
    return sum(len(units) for _, units in decided(scaler, Launch))
