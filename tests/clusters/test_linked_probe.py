"""What a cluster tells of its units and of the work once the probe is in its scheduler."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from distributed import LocalCluster
from real_dask import LIMIT, Counting, a_client, either_way, until

from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.dask import open_dask_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import UnitId

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
def counting(tmp_path):
    return Counting(tmp_path)


@asynccontextmanager
async def a_scene(*units, more=(), driven=True):
    """A command cluster with these units, all registered, and a client of its scheduler."""
    template = WorkerTemplate(worker_command(more=("--memory-limit", "1GB", *more)))
    with anyio.fail_after(LIMIT):
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            command_cluster(scheduler.address, either_way(template)) as cluster,
            a_client(scheduler.address) as client,
        ):
            await cluster.launch([UnitId(unit) for unit in units])

            async def all_serve():
                roster = await cluster._link.roster(refresh=True)
                return len(roster) == len(units) and {w.status for w in roster.values()} <= {"running"}

            await until(all_serve)
            if not driven:
                yield cluster, client
                return
            async with cluster.lease("a test", take_over=False):
                yield cluster, client


async def unit_of(cluster, name):
    return next(unit for unit in await cluster.look(refresh=True) if unit.id == name)


async def test_a_unit_tells_since_when_it_is_idle_and_what_it_stores(counting):
    async with a_scene("a", "b") as (cluster, client):
        future = client.submit(counting.gated_task(), "key", workers=["a"])
        await counting.wait(1)
        assert (await unit_of(cluster, "a")).idle is None
        assert (await unit_of(cluster, "b")).idle >= 0
        begun = time.monotonic()
        counting.open_gate()
        await anyio.to_thread.run_sync(future.result)
        held = await anyio.to_thread.run_sync(lambda: client.scatter(b"x" * 5000, workers=["a"]))
        a, b = await unit_of(cluster, "a"), await unit_of(cluster, "b")
        assert 0 <= a.idle <= time.monotonic() - begun
        assert b.idle > a.idle
        assert a.stored > 5000 > b.stored == 0
        # Longest idle first; and not a worker more than may go.
        assert await cluster.suggest(0, {}) == ["b", "a"]
        assert await cluster.suggest(1, {}) == ["b"]
        del held


async def test_without_the_probe_nobody_says_what_is_idle():
    async with a_scene("a", driven=False) as (cluster, _):
        unit = await unit_of(cluster, "a")
        assert (unit.idle, unit.stored) == (None, 0)
        assert (await cluster.target(5.0)).why.startswith("the scheduler asks for it")


@pytest.mark.parametrize(("more", "target", "blocked"), [((), 0, True), (("--resources", "GPU=1"), 3, False)])
async def test_tasks_buy_only_workers_that_can_run_them(counting, more, target, blocked):
    """dask/distributed#2118: those that no worker will ever run buy none, and are named."""
    async with a_scene(more=more) as (cluster, client):
        futures = client.map(counting.task(), ["x", "y", "z"], seconds=0, resources={"GPU": 1}, pure=False)

        async def heard_of():
            return (await cluster._link.ask_probe("load"))["waiting"] == len(futures)

        await until(heard_of)
        load = await cluster.target(0.1)
        assert load.target == target
        assert bool(load.blocked) == blocked
        assert all("GPU=1" in words for words in load.blocked)


async def test_options_of_a_users_own_are_for_the_scheduler_to_answer():
    async with a_scene("a", "b") as (cluster, _):
        assert sorted(await cluster.suggest(0, {"key": lambda worker: worker.address})) == ["a", "b"]


async def test_a_cluster_object_offers_what_its_specification_has():
    def opened():
        return LocalCluster(
            n_workers=0, processes=False, threads_per_worker=1, resources={"GPU": 2}, dashboard_address=":0"
        )

    local = await anyio.to_thread.run_sync(opened)
    try:
        async with open_dask_cluster(local) as cluster:
            assert cluster.offers == {"GPU": 2.0}
    finally:
        await anyio.to_thread.run_sync(local.close)


async def test_what_a_worker_had_tells_what_the_next_one_will_have():
    async with a_scene("a", more=("--resources", "GPU=1")) as (cluster, _):
        cluster._template = WorkerTemplate(("./start-worker", "{address}", "{name}"))
        cluster._seen_offers = None
        assert cluster.offers is None
        await cluster.look(refresh=True)
        assert cluster.offers == {"GPU": 1.0}
