"""As a trio program has it: a nursery, a task that says when it is ready, trio's own virtual clock."""

from __future__ import annotations

import pytest
import trio

from trio_adaptive import Adaptive, adaptive
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.trio


async def test_a_scaler_in_a_nursery(autojump_clock):
    cluster = FakeCluster(3, startup=60, drain_time=600)
    scaler = Adaptive(cluster, interval="10s", on_exit="close", shutdown_timeout="1h")
    async with trio.open_nursery() as nursery:
        await nursery.start(scaler.run)
        await scaler.wait_for(3)
        assert trio.current_time() == pytest.approx(60, abs=1)
        scaler.stop()
    assert trio.current_time() == pytest.approx(660, abs=1)
    assert cluster.ids() == []


async def test_a_cancelled_nursery_takes_it_along(autojump_clock):
    cluster = FakeCluster(3, drain_time=3600)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            scaler = await nursery.start(Adaptive(cluster, wait_count=1, idle_timeout=0).run)
            await scaler.wait_for(3)
            cluster.want(0)
            while len(cluster.draining) < 3:
                await trio.sleep(0.1)
            scope.cancel()
    assert scope.cancelled_caught
    assert cluster.in_flight == []
    assert len(cluster.ids("registered")) == 3


async def test_several_at_once_in_one_program(autojump_clock, nursery):
    clusters = [FakeCluster(n, startup=n) for n in range(1, 6)]
    scalers = [await nursery.start(Adaptive(cluster).run) for cluster in clusters]
    for n, scaler in enumerate(scalers, 1):
        await scaler.wait_for(n)
    for scaler in scalers:
        scaler.stop()
        await scaler.wait_stopped()
    assert [cluster.most for cluster in clusters] == [1, 2, 3, 4, 5]


async def test_a_day_takes_no_time(autojump_clock):
    cluster = FakeCluster()
    async with adaptive(cluster, maximum=3, interval="1 min") as scaler:
        for hour in range(24):
            cluster.want(hour % 5)
            await trio.sleep(3600)
            assert len(cluster.ids("registered")) == min(3, hour % 5)
    assert cluster.most == 3
    assert scaler.statistics().samples >= 24 * 60


async def test_what_goes_wrong_inside_is_told_also_where_the_block_waits_in_nurseries_of_its_own(
    autojump_clock,
):
    cluster = FakeCluster(1)
    with pytest.RaisesGroup(ValueError, flatten_subgroups=True):
        async with adaptive(cluster) as scaler, trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await scaler.wait_for(1)
            cluster.fail("look", ValueError("a bug"))
            await trio.sleep_forever()
