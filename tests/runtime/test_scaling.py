"""What is done about the cluster, seen through its calls; the decisions themselves have tests of their own."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from attrs import evolve
from scenes import AT_ONCE, at, outcomes, running, until

from trio_adaptive.errors import DrainRefused
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


async def test_up_and_down_with_the_work():
    cluster = FakeCluster(5, startup=3, drain_time=2, stop_time=1)
    async with running(cluster) as scaler:
        await scaler.wait_for(5)
        assert scaler.statistics().startup == pytest.approx(3, abs=0.1)
        oldest = cluster.ids()[:2]
        cluster.want(2)
        await until(lambda: len(outcomes(scaler, "drain")) == 3)
        assert cluster.ids() == oldest  # the fake suggests the newest
        assert [(o.result, o.took) for o in outcomes(scaler, "drain")] == [("done", pytest.approx(3))] * 3
        cluster.want(4)
        await scaler.wait_for(4)
    assert cluster.most == 5
    assert len(cluster.ids()) == 4


async def test_a_pause_in_the_work_costs_no_worker():
    cluster = FakeCluster(5)
    async with running(cluster, idle_timeout=10) as scaler:
        await scaler.wait_for(5)
        for _ in range(3):
            cluster.want(0)
            await anyio.sleep(9)
            cluster.want(5)
            await anyio.sleep(1)
    assert cluster.times("drain") == []


async def test_a_drain_is_called_off_when_the_work_comes_back():
    cluster = FakeCluster(3, drain_time=100)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(3)
        before = cluster.ids()
        cluster.want(0)
        await until(lambda: len(cluster.draining) == 3)
        assert scaler.statistics().counts.draining == 0  # of the look before
        cluster.want(2)
        await until(lambda: len(cluster.draining) == 1)
        assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["recalled"] * 2
        await until(lambda: len(cluster.ids()) == 2)
        assert set(cluster.ids()) < set(before)
    assert len(cluster.times("launch")) == 1


async def test_a_drain_that_has_gone_too_far_is_replaced():
    cluster = FakeCluster(1, stop_time=100)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: cluster.ids("leaving"))
        cluster.want(1)
        await until(lambda: cluster.ids("registered"))
        assert len(cluster.ids("leaving")) == 1


async def test_a_recall_that_comes_too_late_is_told_and_replaced():
    class Discreet(FakeCluster):
        """Its workers stay registered to the last."""

        async def look(self, *, refresh):
            units = await super().look(refresh=refresh)
            return tuple(evolve(u, state="registered") if u.state == "leaving" else u for u in units)

    cluster = Discreet(1, stop_time=20)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: cluster.ids("leaving"))
        cluster.want(1)
        await until(lambda: cluster.ids("registered"))
        assert len(cluster.ids("leaving")) == 1
        (recall,) = outcomes(scaler, "recall")
        assert (recall.result, recall.detail) == ("refused", "it is leaving already")
        await until(lambda: outcomes(scaler, "drain"))
        assert outcomes(scaler, "drain")[0].result == "done"


async def test_a_drain_that_is_refused_leaves_the_unit_in_service():
    cluster = FakeCluster(1)
    cluster.fail("drain", DrainRefused("it has the only copy of x"))
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: outcomes(scaler, "drain"))
        (outcome,) = outcomes(scaler, "drain")
        assert (outcome.result, outcome.detail) == ("refused", "it has the only copy of x")
        assert cluster.ids("registered") == list(outcome.units)
        await until(lambda: not cluster.ids())
    first, second = cluster.times("drain")
    assert second - first >= 0.9


async def test_a_drain_that_takes_too_long_is_given_up():
    cluster = FakeCluster(1, drain_time=1000)
    async with running(cluster, drain_timeout=20, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: outcomes(scaler, "drain"))
        (outcome,) = outcomes(scaler, "drain")
        assert (outcome.result, outcome.took) == ("timed out", 20)
        assert cluster.ids("registered") == list(outcome.units)


async def test_launches_that_fail_are_tried_again_after_longer_and_longer(monkeypatch):
    monkeypatch.setattr("trio_adaptive.runtime.changes.RETRY_JITTER", 0.0)
    cluster = FakeCluster(2)
    cluster.fail("launch", "quota exceeded", times=5)
    begun = anyio.current_time()
    async with running(cluster, retry_delay=1, retry_delay_max=6, breaker_failures=9) as scaler:
        await at(begun + 2)
        statistics = scaler.statistics()
        assert (statistics.failures, statistics.last_error) == (2, "quota exceeded")
        assert statistics.note == "next launch in 1.0 s, after a failure: quota exceeded"
        assert {(o.result, o.detail) for o in outcomes(scaler, "launch")} == {("failed", "quota exceeded")}
        await scaler.wait_for(2)
        assert scaler.statistics().failures == 0
    times = cluster.times("launch")
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([1, 2, 4, 6, 6], abs=0.06)
    assert cluster.most == 2


async def test_units_that_fail_to_start_are_cleaned_up_and_tried_again():
    cluster = FakeCluster(2, startup=1)
    cluster.fail_starts(2, "exit code 3; its last output: no such module")
    async with running(cluster) as scaler:
        await until(lambda: scaler.statistics().failures)
        assert scaler.statistics().last_error == "exit code 3; its last output: no such module"
        await scaler.wait_for(2)
        assert len(cluster.units) == 2
    assert len(cluster.times("launch")) == 2
    assert len(cluster.times("cancel")) == 1


async def test_a_worker_that_dies_is_replaced_at_once():
    cluster = FakeCluster(2)
    async with running(cluster) as scaler:
        await scaler.wait_for(2)
        await anyio.sleep(10.3)
        now = anyio.current_time()
        cluster.kill(cluster.ids()[0])
        await until(lambda: len(cluster.ids("registered")) == 2 and len(cluster.units) == 2)
        assert anyio.current_time() - now < 0.2


async def test_what_has_not_registered_is_taken_back_first():
    cluster = FakeCluster(2)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        serving = cluster.ids()
        cluster.startup = 1000
        cluster.want(4)
        await until(lambda: len(cluster.ids("requested")) == 2)
        cluster.want(2)
        await until(lambda: len(cluster.ids()) == 2)
    assert cluster.ids() == serving
    assert cluster.times("drain") == []


async def test_a_cancellation_that_comes_too_late_is_told_and_harms_nothing():
    cluster = FakeCluster(1, startup=3)
    async with running(cluster, **AT_ONCE) as scaler:
        await until(lambda: cluster.ids("requested"))
        cluster.hang("cancel")
        cluster.want(0)
        await until(lambda: cluster.times("cancel"))
        await until(lambda: cluster.ids("registered"))
        cluster.release("cancel")
        await until(lambda: outcomes(scaler, "cancel"))
        assert outcomes(scaler, "cancel")[0].result == "failed"
        await until(lambda: not cluster.ids())
        assert outcomes(scaler, "drain")[0].result == "done"


async def test_units_of_several_workers_are_bought_and_sold_whole():
    cluster = FakeCluster(size=4)
    async with running(cluster, minimum=1, **AT_ONCE) as scaler:
        await scaler.wait_for(4)
        cluster.want(9)
        await scaler.wait_for(12)
        cluster.want(5)
        await until(lambda: len(cluster.ids()) == 2)
        await anyio.sleep(30)
        assert len(cluster.ids()) == 2


async def test_ignored_strangers_serve_and_stay():
    cluster = FakeCluster(3)
    cluster.add("theirs-1", "theirs-2", ours=False)
    async with running(cluster, strangers="ignore", **AT_ONCE):
        await until(lambda: len(cluster.ids()) == 3)
        cluster.want(0)
        await until(lambda: len(cluster.ids()) == 2)
        await anyio.sleep(10)
    assert cluster.ids() == ["theirs-1", "theirs-2"]
