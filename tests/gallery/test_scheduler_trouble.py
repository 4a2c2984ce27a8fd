"""The scheduler does not answer, or has gone: nothing is changed, and all goes on when it is back."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from gallery_scenes import a_scene_at, decided, looks, observed, outcomes, until_so
from real_dask import LIMIT, a_client
from tcp_proxy import a_proxy

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.decision.model import Cancel, Drain, Launch

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

OPTIONS = {"maximum": 3, "interval": 0.2, "call_timeout": 1, "wait_count": 1, "idle_timeout": 0.5}


def deeds(scaler, since):
    """All that was done to units from a time on."""
    return [each for kind in (Launch, Drain, Cancel) for each in decided(scaler, kind) if each[0] > since]


async def silent(scaler, n=3):
    """Wait until so many more looks have not been answered."""
    enough = scaler.statistics().samples_failed + n
    await until_so(scaler, lambda: scaler.statistics().samples_failed >= enough)


def port_of(address):
    return int(address.rsplit(":", 1)[1])


async def test_a_scheduler_that_stands_still_is_waited_for_and_nothing_is_shrunk_on_ignorance():
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        a_scene_at(scheduler.address) as scene,
        adaptive(scene.cluster, minimum=2, **OPTIONS) as scaler,
    ):
        await scene.until_running(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        scaler.set_limits(minimum=2, maximum=2)
        await looks(scaler, 2)
        os.kill(scheduler.process.pid, signal.SIGSTOP)
        stopped = anyio.current_time()
        try:
            await silent(scaler, 1)
            scaler.set_limits(minimum=0)
            await silent(scaler, 3)
            assert deeds(scaler, stopped) == []
        finally:
            os.kill(scheduler.process.pid, signal.SIGCONT)
        with anyio.fail_after(10):
            await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 2)
        assert {outcome.result for outcome in outcomes(scaler, "drain")} == {"done"}


async def test_a_scheduler_that_comes_back_at_the_same_address_gets_its_workers_again():
    """The one that was killed took its workers with it, which close without a scheduler."""
    with anyio.fail_after(LIMIT):
        async with embedded_scheduler(dashboard_address=None) as first:
            address, opening = first.address, command_cluster(first.address)
            async with opening as cluster, adaptive(cluster, minimum=2, **OPTIONS) as scaler:
                await until_so(scaler, lambda: observed(scaler) == 2)
                before = set(cluster.pids)
                os.kill(first.process.pid, signal.SIGKILL)
                killed = anyio.current_time()
                await silent(scaler)
                assert "tcp" in scaler.statistics().last_error
                assert deeds(scaler, killed) == []
                async with embedded_scheduler(port=port_of(address), dashboard_address=None) as second:
                    assert second.address == address
                    await until_so(scaler, lambda: observed(scaler) == 2 and not before & cluster.pids.keys())
                    async with a_client(address) as client:
                        future = client.submit(lambda: 1)
                        assert await anyio.to_thread.run_sync(future.result) == 1
                    scaler.stop()
                    await scaler.wait_stopped()


@asynccontextmanager
async def through_a_proxy():
    """A scene whose scheduler is reached, by us and the workers, through a proxy that can be cut."""
    async with (
        embedded_scheduler(dashboard_address=None) as scheduler,
        a_proxy(port_of(scheduler.address)) as proxy,
        a_scene_at(f"tcp://127.0.0.1:{proxy.port}") as scene,
    ):
        yield proxy, scene


async def test_connections_that_are_cut_half_way_are_made_again():
    async with through_a_proxy() as (proxy, scene), adaptive(scene.cluster, minimum=2, **OPTIONS) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        for _ in range(3):
            proxy.cut()
            await looks(scaler, 3)
            await until_so(scaler, lambda: observed(scaler) == 2)


async def test_a_network_that_is_away_for_a_while_is_waited_for():
    async with through_a_proxy() as (proxy, scene), adaptive(scene.cluster, minimum=2, **OPTIONS) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        proxy.refuse = True
        proxy.cut()
        gone = anyio.current_time()
        await silent(scaler)
        assert deeds(scaler, gone) == []
        proxy.refuse = False
        await until_so(scaler, lambda: observed(scaler) == 2)
        await looks(scaler, 2)
