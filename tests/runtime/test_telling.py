"""What is told to people: what blocks tasks, what is missing, what a forced end has cost."""

from __future__ import annotations

import logging

import anyio
import pytest
from attrs import evolve
from scenes import AT_ONCE, at, outcomes, running, until

from trio_adaptive.decision.model import Lost
from trio_adaptive.errors import ClusterError
from trio_adaptive.journal.words import in_words
from trio_adaptive.service.status import status_text, watched
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio

GPU = "{} tasks need GPU=1, which no worker has and no new one would have"
COST = "2 tasks begin again, 34.5 task-seconds were lost, 3.0 MiB of results are computed again"


class Outspoken(FakeCluster):
    """Its load says more, and its drains are forced."""

    blocked = ()
    degraded = ""

    async def target(self, target_duration):
        load = await super().target(target_duration)
        return evolve(load, blocked=self.blocked, degraded=self.degraded)

    async def drain(self, unit, terms):
        await super().drain(unit, terms)
        terms.forced(Lost(2, 34.5, 3 * 2**20))


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_blocked_tasks_are_shown_and_told_of_once(caplog):
    cluster = Outspoken()
    async with running(cluster) as scaler:
        for n in range(200, 100, -20):
            cluster.blocked = (GPU.format(n),)
            await until(lambda: scaler.statistics().blocked == cluster.blocked)
        assert "│ 120 tasks need GPU=1" in status_text(scaler).plain
        assert scaler.history[-1].decision.load.blocked == cluster.blocked
        cluster.blocked = (*cluster.blocked, "1 task needs TPU=1, which no worker has")
        await until(lambda: len(scaler.statistics().blocked) == 2)
        cluster.want(1)
        await scaler.wait_for(1)
        deeds = next(words for record in scaler.history if "launching" in (words := in_words(record)))
        assert deeds.endswith("launching 1; " + "; ".join(cluster.blocked))
    assert [text.partition(":")[0] for text in warnings(caplog)] == ["No worker for them"] * 2


async def test_what_is_missing_is_shown():
    cluster = Outspoken(1)
    cluster.degraded = "the scheduler takes no plugins"
    async with running(cluster) as scaler:
        await until(lambda: scaler.statistics().samples > 3)
        assert scaler.statistics().degraded == cluster.degraded
        assert "│ degraded: the scheduler takes no plugins" in status_text(scaler).plain


async def test_a_forced_end_says_what_it_has_cost(caplog):
    cluster = Outspoken(1, drain_time=1)
    async with running(cluster, **AT_ONCE) as scaler:
        await scaler.wait_for(1)
        cluster.want(0)
        await until(lambda: outcomes(scaler, "drain"))
        (outcome,) = outcomes(scaler, "drain")
        unit = outcome.units[0]
        assert (outcome.result, outcome.lost.tasks) == ("forced", 2)
        told = [in_words(record) for record in scaler.history if record.outcome == outcome]
        await until(lambda: scaler.statistics().counts.plan == 0)
    assert told == [f"drain of {unit} forced after 1.00 s: {COST}"]
    assert warnings(caplog) == [f"{unit} was made to go after 1.0 s: {COST}"]


class Unreachable(FakeCluster):
    """Does not answer as long as ``why`` says why; does not know the load as long as ``no_load`` does."""

    why = ""
    no_load = ""

    async def look(self, *, refresh):
        if self.why:
            raise ClusterError(self.why)
        return await super().look(refresh=refresh)

    async def target(self, target_duration):
        if self.no_load:
            raise ClusterError(self.no_load)
        return await super().target(target_duration)


async def test_an_outage_is_told_of_less_and_less_often_and_then_how_long_it_was(caplog):
    caplog.set_level(logging.INFO, "trio_adaptive")
    cluster = Unreachable(1)
    async with running(cluster) as scaler:
        await scaler.wait_for(1)
        await at(10.5)
        cluster.why = "gone fishing"
        await at(100.5)
        cluster.why = ""
        await at(200)
        assert scaler.statistics().samples_failed == 90
    told = [text for text in caplog.messages if "answer" in text]
    assert told == [
        "No answer, so nothing is changed: gone fishing",
        "No answer for 10 s, so nothing is changed: gone fishing",
        "No answer for 30 s, so nothing is changed: gone fishing",
        "No answer for 70 s, so nothing is changed: gone fishing",
        "The answer is back, after 90.0 s",
    ]


async def test_each_outage_is_told_of_from_its_beginning(caplog):
    cluster = Unreachable(1)
    async with running(cluster) as scaler:
        await scaler.wait_for(1)
        for _ in range(3):
            cluster.why = "gone fishing"
            await at(anyio.current_time() + 5)
            cluster.why = ""
            await at(anyio.current_time() + 5)
    assert warnings(caplog) == ["No answer, so nothing is changed: gone fishing"] * 3


async def test_a_load_that_is_missing_is_told_of_in_the_same_way(caplog):
    caplog.set_level(logging.INFO, "trio_adaptive")
    cluster = Unreachable(1)
    async with running(cluster) as scaler:
        await scaler.wait_for(1)
        cluster.no_load = "the queue is closed"
        await at(anyio.current_time() + 15)
        cluster.no_load = ""
        await at(anyio.current_time() + 15)
    told = [text for text in caplog.messages if "load" in text]
    assert told == [
        "No load, so the size is held: the queue is closed",
        "No load for 10 s, so the size is held: the queue is closed",
        "The load is back, after 15.0 s",
    ]


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_the_log_of_the_service_does_not_say_at_every_look_what_the_scaler_says_now_and_then(caplog):
    caplog.set_level(logging.INFO, "trio_adaptive")
    cluster = Unreachable(1)
    async with running(cluster) as scaler, watched(scaler, live=False):
        await scaler.wait_for(1)
        cluster.why = "gone fishing"
        await at(anyio.current_time() + 15)
    assert sum("gone fishing" in text for text in caplog.messages) == 2
    assert any("launching 1" in text for text in caplog.messages)
