"""What a running scaler counts: each thing once, whatever the length of its history."""

from __future__ import annotations

import anyio
import pytest
from scenes import AT_ONCE, outcomes, running, until

from trio_adaptive.clusters.base import Terms
from trio_adaptive.decision.model import Lost
from trio_adaptive.errors import DrainRefused
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


def number(distribution):
    return sum(distribution.counts)


async def test_launches_by_their_end_and_how_long_they_took():
    cluster = FakeCluster(3, startup=4)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(3)
        tally = scaler.tally
        assert tally.launches == {"registered": 3}
        assert number(tally.startup) == 3
        assert tally.startup.total == pytest.approx(12, abs=0.3)
        assert number(tally.calls["launch"]) == 1  # one call for all three
        assert tally.decisions["load", "grow"] == 1


async def test_launches_that_fail_are_too_slow_or_are_taken_back():
    cluster = FakeCluster(1)
    cluster.fail_starts(1, "no licence")
    async with running(cluster, startup_timeout=30, idle_timeout=0, wait_count=1) as scaler:
        await scaler.wait_for(1)
        assert scaler.tally.launches == {"failed": 1, "registered": 1}
        cluster.startup = 100
        cluster.want(2)
        await until(lambda: scaler.tally.launches.get("timed out") == 1)
        await until(lambda: cluster.ids("requested"))
        cluster.want(1)
        await until(lambda: scaler.tally.launches.get("taken back") == 1)
        assert scaler.tally.call_failures.get("launch", 0) == 0


async def test_a_refused_request_is_a_failed_launch_and_a_failed_call():
    cluster = FakeCluster(2)
    cluster.fail("launch", "quota exceeded")
    async with running(cluster) as scaler:
        await scaler.wait_for(2)
        assert scaler.tally.launches == {"failed": 2, "registered": 2}
        assert scaler.tally.call_failures["launch"] == 1


async def test_drains_by_their_result_and_how_long_they_took():
    cluster = FakeCluster(2, drain_time=2, stop_time=1)
    cluster.fail("drain", DrainRefused("it holds an actor"))
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.want(0)
        await until(lambda: len(outcomes(scaler, "drain")) == 2)
        assert scaler.tally.drains == {"refused": 1, "done": 1}
        assert number(scaler.tally.drain) == 1
        assert scaler.tally.drain.total == pytest.approx(3)
        assert scaler.tally.decisions["load", "shrink"] in {
            1,
            2,
        }  # both leave at once, or one after the other


class Forcing(FakeCluster):
    """Ends a unit at its deadline, with the work that it has."""

    async def drain(self, unit, terms: Terms) -> None:
        terms.lost = Lost(tasks=2, task_seconds=7.5, bytes=1000)
        await super().drain(unit, terms)


async def test_what_a_forced_end_has_cost():
    cluster = Forcing(1)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: outcomes(scaler, "drain"))
        tally = scaler.tally
    assert tally.drains == {"forced": 1}
    assert (tally.tasks_lost, tally.task_seconds_lost, tally.bytes_lost) == (2, 7.5, 1000)


async def test_a_lost_unit_is_counted_once_however_long_it_lies_there():
    cluster = FakeCluster(1)
    async with running(cluster, stop_timeout=5) as scaler:
        await scaler.wait_for(1)
        cluster.hang("cancel")
        cluster.kill(cluster.ids()[0])
        await anyio.sleep(20)
        assert scaler.tally.units_lost == 1
        assert scaler.tally.call_failures["cancel"] >= 2
        cluster.release("cancel")


async def test_looks_that_fail_and_questions_that_are_not_answered():
    cluster = FakeCluster(1)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.fail("look", "no answer", times=3)
        cluster.fail("suggest", "no answer")
        await until(lambda: scaler.tally.call_failures.get("look") == 3)
        cluster.want(0)
        await until(lambda: not cluster.ids())
        assert scaler.tally.call_failures["suggest"] == 1
        assert number(scaler.tally.calls["suggest"]) == 2


async def test_more_decisions_than_the_history_has_room_for():
    cluster = FakeCluster(1)
    async with running(cluster, log_length=5, maximum=0) as scaler:
        await anyio.sleep(100)
        assert sum(scaler.tally.decisions.values()) == scaler.statistics().samples >= 100
        assert scaler.tally.decisions["maximum", "stay"] >= 100
        assert number(scaler.tally.delay) >= 100


async def test_a_look_that_is_late_is_seen():
    cluster = FakeCluster(1)
    async with running(cluster) as scaler:
        await anyio.sleep(10)
        assert scaler.tally.lateness.total == pytest.approx(0, abs=1e-6)
        assert number(scaler.tally.lateness) >= 10


async def test_commands_are_counted_by_kind():
    async with running(FakeCluster(1)) as scaler:
        scaler.pause()
        scaler.resume()
        scaler.hold(2)
        await scaler.wait_for(2)
        assert scaler.tally.commands == {"SetPause": 2, "SetHold": 1}


async def test_a_cluster_without_a_lease_to_give_has_none_held():
    async with running(FakeCluster(0)) as scaler:
        assert scaler.holds_lease is None
