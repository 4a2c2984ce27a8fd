"""Where nothing comes of it any more: what can be seen of that, and the end where a setting wants one."""

from __future__ import annotations

import anyio
import pytest
from scenes import LIMIT, outcomes, running, until

from trio_adaptive import adaptive
from trio_adaptive.clusters.plain import PlainCluster
from trio_adaptive.errors import LaunchesFailed, SchedulerLost
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


class Queueing(FakeCluster):
    queues = True


async def test_the_breaker_shows_and_closes_again():
    cluster = FakeCluster(3, startup=1)
    cluster.fail("launch", "quota exceeded", times=3)
    async with running(cluster, breaker_failures=2, retry_delay=1) as scaler:
        await until(lambda: scaler.statistics().breaker == "open")
        assert scaler.statistics().last_error == "quota exceeded"
        await until(lambda: scaler.statistics().failures == 3)
        await until(lambda: len(cluster.ids("registered")) == 3)
        assert scaler.statistics().breaker == "closed"
        sizes = [len(each.units) for each in outcomes(scaler, "launch")]
    assert sizes == [3, 3, 1, 1, 2]


async def test_failing_launches_end_it_where_that_is_wanted():
    cluster = FakeCluster(3)
    cluster.fail("launch", "quota exceeded", times=99)
    with pytest.RaisesGroup(
        pytest.RaisesExc(LaunchesFailed, match="2 launches in a row have failed: quota exceeded")
    ):
        async with running(cluster, breaker_failures=2, on_breaker="end") as scaler:
            await anyio.sleep_forever()
    assert len(cluster.times("launch")) == 2
    assert scaler.statistics().stage == "stopped"
    assert "quota exceeded" in scaler.statistics().stop_reason


async def test_a_silent_scheduler_ends_it_where_that_is_wanted_and_nothing_is_shrunk_before():
    cluster = FakeCluster(3)
    with pytest.RaisesGroup(
        pytest.RaisesExc(SchedulerLost, match=r"has not answered for 60 s \(scheduler_timeout\)")
    ):
        async with running(cluster, scheduler_timeout=60, wait_count=1, idle_timeout=0) as scaler:
            await scaler.wait_for(3)
            cluster.want(0)
            cluster.hang("look")
            begun = anyio.current_time()
            await anyio.sleep_forever()
    assert 60 <= anyio.current_time() - begun <= 75
    assert cluster.times("drain") == []


async def test_a_scheduler_that_answers_again_in_time_is_no_end():
    cluster = FakeCluster(1)
    async with running(cluster, scheduler_timeout=60) as scaler:
        await scaler.wait_for(1)
        for _ in range(3):
            cluster.hang("look")
            await anyio.sleep(50)
            cluster.release("look")
            await anyio.sleep(10)
        cluster.want(2)
        await scaler.wait_for(2)


async def test_a_launch_that_never_registers_is_given_up_and_replaced():
    cluster = FakeCluster(1, startup=1000)
    async with running(cluster, startup_timeout=20) as scaler:
        await until(lambda: cluster.times("cancel"))
        cluster.startup = 0
        await scaler.wait_for(1)
        assert anyio.current_time() < 40
        assert len(cluster.ids()) == 1


@pytest.mark.parametrize(("kind", "ended"), [(FakeCluster, True), (Queueing, False)])
async def test_in_a_queue_a_unit_may_wait_for_ever_unless_somebody_has_said_how_long(kind, ended):
    cluster = kind(1, startup=3000)
    async with running(cluster) as scaler:
        await anyio.sleep(1000)
        assert bool(cluster.times("cancel")) == ended
        assert (scaler.statistics().startup_limit == 600) == ended
    assert PlainCluster(object()).queues


async def test_a_second_lifetime_begins_anew():
    cluster = FakeCluster(1)
    cluster.fail("launch", "quota exceeded", times=2)
    with anyio.fail_after(LIMIT):
        with pytest.RaisesGroup(LaunchesFailed):
            async with adaptive(cluster, breaker_failures=2, on_breaker="end"):
                await anyio.sleep_forever()
        async with adaptive(cluster, breaker_failures=2, on_breaker="end") as scaler:
            await scaler.wait_for(1)
