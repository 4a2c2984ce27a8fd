"""When the cluster is looked at, and what a look that does not come delays: nothing."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from scenes import AT_ONCE, at, kinds, outcomes, running, until

from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


async def test_the_first_look_scales_up():
    cluster = FakeCluster(3, startup=10)
    begun = anyio.current_time()
    async with running(cluster) as scaler:
        await until(lambda: cluster.ids("requested"))
        assert len(cluster.ids()) == 3
        assert cluster.times("launch") == [begun]
        assert scaler.statistics().target == 3


async def test_a_cluster_without_load_gets_its_minimum():
    cluster = FakeCluster()
    async with running(cluster, minimum=2) as scaler:
        await scaler.wait_for(2)
    assert cluster.most == 2


async def test_never_more_than_the_maximum():
    cluster = FakeCluster(100, startup=1, drain_time=1, stop_time=5)
    async with running(cluster, maximum=4, **AT_ONCE) as scaler:
        await scaler.wait_for(4)
        cluster.want(0)
        await until(lambda: cluster.ids("leaving"))
        cluster.want(100)
        await at(anyio.current_time() + 0.1)
        assert "no room below the maximum" in scaler.statistics().note
        await until(lambda: len(cluster.ids("registered")) == 4)
    assert cluster.most == 4


async def test_a_wake_up_leads_to_a_look_at_once():
    cluster = FakeCluster()
    begun = anyio.current_time()
    async with running(cluster):
        await at(begun + 0.5)
        cluster.want(2)
        await until(cluster.ids)
    assert cluster.times("launch") == [pytest.approx(begun + 0.5)]


async def test_many_wake_ups_lead_to_few_looks():
    cluster = FakeCluster()
    async with running(cluster, min_interval=0.1):
        for _ in range(1000):
            cluster.push()
            await anyio.sleep(0.001)
    looks = cluster.times("look")
    assert 10 <= len(looks) <= 12
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(looks))


class Telling(FakeCluster):
    """Tells of all that happens."""

    tells_all = True


async def test_a_cluster_that_tells_of_everything_has_its_rest_where_nothing_is_to_be_done():
    cluster = Telling(1, startup=0.2)
    begun = anyio.current_time()
    async with running(cluster, interval=0.1, min_interval=0.05) as scaler:
        await scaler.wait_for(1)
        await at(begun + 5.25)
        assert len([time for time in cluster.times("look") if time >= begun + 1]) <= 5
        cluster.want(0)
        await until(lambda: not cluster.ids("registered"))
        # A look at once, and then those of the interval, for as long as its patience lasts.
        assert 0.3 <= anyio.current_time() - begun - 5.25 <= 0.5


async def test_a_cluster_that_tells_little_is_looked_at_with_every_interval():
    cluster = FakeCluster(1)
    async with running(cluster, interval=0.1, min_interval=0.05):
        await at(anyio.current_time() + 5)
    assert len(cluster.times("look")) >= 50


async def test_without_wake_ups_the_interval_is_the_net():
    cluster = FakeCluster(pushes=False)
    begun = anyio.current_time()
    async with running(cluster, interval=2, min_interval=0.5):
        await at(begun + 2.5)
        cluster.want(1)
        await at(begun + 3.9)
        assert cluster.ids() == []
        await at(begun + 4)
        assert cluster.ids() != []
        await at(begun + 5.9)
    # The end of the launch is a reason to look again.
    assert [time - begun for time in cluster.times("look")] == pytest.approx([0, 2, 4, 4.5])


async def test_wake_ups_do_not_move_the_interval():
    cluster = FakeCluster()
    begun = anyio.current_time()
    async with running(cluster):
        for _ in range(10):
            await anyio.sleep(0.25)
            cluster.push()
        await at(begun + 3.1)
    looks = [time - begun for time in cluster.times("look")]
    assert looks == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.05, 1.25, 1.5, 1.75, 2, 2.05, 2.25, 2.5, 3])


async def test_ticks_that_were_missed_are_not_made_up_for():
    cluster = FakeCluster(pushes=False)
    begun = anyio.current_time()
    async with running(cluster):
        await at(begun + 0.5)
        cluster.hang("look")
        await at(begun + 4.25)
        cluster.release("look")
        await at(begun + 7)
    assert [time - begun for time in cluster.times("look")] == pytest.approx([0, 1, 4.25, 5.25, 6.25])


@pytest.mark.parametrize("call", ["look", "target"])
async def test_a_look_that_hangs_is_given_up_and_nothing_is_changed(call):
    cluster = FakeCluster(2)
    async with running(cluster, call_timeout=5, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        await until(lambda: not cluster.in_flight)
        cluster.hang(call)
        cluster.want(0)
        begun = anyio.current_time()
        await until(lambda: scaler.statistics().samples_failed)
        assert anyio.current_time() - begun == pytest.approx(5, abs=1.1)
        assert scaler.statistics().last_error == "a fake cluster did not answer within 5 s"
        assert [r.error for r in scaler.history if r.kind == "sample failed"] == [
            scaler.statistics().last_error
        ]
        assert len(cluster.ids("registered")) == 2
        cluster.release(call)
        await until(lambda: not cluster.ids())
        assert scaler.statistics().samples_failed == 1


@pytest.mark.parametrize("call", ["look", "target"])
async def test_a_look_that_fails_changes_nothing_and_is_told(call):
    cluster = FakeCluster(2)
    cluster.fail(call, "no route to host", times=3)
    begun = anyio.current_time()
    async with running(cluster) as scaler:
        await scaler.wait_for(2)
        assert kinds(scaler)[:3] == ["sample failed"] * 3
        assert scaler.history[0].error == scaler.statistics().last_error == "no route to host"
        assert anyio.current_time() - begun == pytest.approx(3, abs=0.2)


async def test_a_launch_that_hangs_delays_no_other():
    cluster = FakeCluster(1, startup=1)
    cluster.hang("launch")
    begun = anyio.current_time()
    async with running(cluster, request_timeout=30) as scaler:
        await until(cluster.ids)
        cluster.want(3)
        await until(lambda: len(cluster.ids()) == 3)
        assert [time - begun for time in cluster.times("launch")] == pytest.approx([0, 0.05], abs=0.01)
        cluster.release("launch")
        await scaler.wait_for(3)


async def test_a_launch_that_hangs_for_ever_is_given_up():
    cluster = FakeCluster(1)
    cluster.hang("launch")
    async with running(cluster, request_timeout=30) as scaler:
        await until(lambda: outcomes(scaler, "launch"))
        (outcome,) = outcomes(scaler, "launch")
        assert (outcome.result, outcome.took, outcome.detail) == ("timed out", 30, "did not end within 30 s")
        assert scaler.statistics().failures == 1
        cluster.release("launch")
        await scaler.wait_for(1)
    assert cluster.most == 1


async def test_a_drain_that_hangs_does_not_delay_growing():
    """dask/distributed#6223: the loop stood still until the last worker had been retired."""
    cluster = FakeCluster(2, startup=1, stop_time=1000)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.want(0)
        await until(lambda: len(cluster.ids("leaving")) == 2)
        now = anyio.current_time()
        cluster.want(4)
        await until(lambda: len(cluster.ids("requested")) == 4)
        assert anyio.current_time() - now < 0.1
        await scaler.wait_for(4)
        assert len(cluster.ids("leaving")) == 2


async def test_a_question_that_hangs_delays_nothing():
    cluster = FakeCluster(2, startup=1)
    async with running(cluster, call_timeout=5, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.hang("suggest")
        cluster.want(1)
        await until(lambda: cluster.times("suggest"))
        now = anyio.current_time()
        cluster.want(3)
        await until(lambda: len(cluster.ids()) == 3)
        assert anyio.current_time() - now < 0.1
        cluster.want(1)
        await until(lambda: any("no suggestion within 5 s" in record.error for record in scaler.history))
        assert len(cluster.ids()) == 3
        cluster.release("suggest")
        await until(lambda: len(cluster.ids()) == 1)


@pytest.mark.parametrize(("name", "ours"), [("blue", {"blue-1a-0"}), ("", set()), ("blu", set())])
async def test_units_of_an_earlier_run_under_its_name_are_its_own(name, ours):
    cluster = FakeCluster(0)
    cluster.add("blue-1a-0", "green-1a-0", ours=False)
    async with running(cluster, name=name, strangers="ignore", on_exit="close") as scaler:
        await scaler.wait_for(2)
        assert {unit.id for unit in scaler.sample.units if unit.ours} == ours
        cluster.want(3)
        await scaler.wait_for(3)
        assert all(unit.id.startswith(f"{name or 'adaptive'}-") for unit in scaler.sample.units[2:])
    assert set(cluster.ids()) == {"blue-1a-0", "green-1a-0"} - ours
