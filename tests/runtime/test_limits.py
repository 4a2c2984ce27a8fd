"""The limiters in a running scaler: schedules by the wall clock, rates, what starts at once, and the fallback."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import anyio
import pytest
from scenes import AT_ONCE, at, running, until

from trio_adaptive import Adaptive
from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.limits import Window
from trio_adaptive.decision.model import SetSchedule
from trio_adaptive.runtime import calendar
from trio_adaptive.runtime.scaler import Scaler
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60.0, 3600.0

WORK = {"start": "0 8 * * *", "end": "0 18 * * *", "timezone": "Europe/Berlin", "minimum": 3}
MEETING = {**WORK, "end": "30 9 * * *"}
LUNCH = {"start": "0 12 * * *", "end": "0 13 * * *", "timezone": "Europe/Berlin", "maximum": 1}


@pytest.fixture
def berlin(monkeypatch):
    """Sets the wall clock; it goes on with the event loop's."""

    def set_clock(hour, minute=0):
        # In winter, Berlin is an hour ahead.
        now = datetime(2026, 12, 1, hour, minute, tzinfo=UTC).timestamp() - HOUR
        begun = anyio.current_time()
        monkeypatch.setattr(calendar, "wall_clock", lambda: now + anyio.current_time() - begun)
        return begun

    return set_clock


def open_windows(scaler):
    return [record.command.windows for record in scaler.history if isinstance(record.command, SetSchedule)]


async def test_a_window_opens_and_closes_by_the_wall_clock(berlin):
    begun = berlin(7, 30)
    cluster = FakeCluster()
    async with running(cluster, schedules=[MEETING], interval="10s", log_length=10**5, **AT_ONCE) as scaler:
        await at(begun + 29.9 * MINUTE)
        assert cluster.ids() == []
        assert scaler.statistics().windows == ()
        assert await until(lambda: len(cluster.ids()) == 3) == pytest.approx(begun + 30 * MINUTE, abs=0.2)
        words = "0 8 * * * to 30 9 * * *, Europe/Berlin"
        assert scaler.statistics().windows == (words,)
        assert scaler.statistics().reasons == (f"schedule: at least 3 by the schedule {words}",)
        await at(begun + 119 * MINUTE)
        assert len(cluster.ids()) == 3
        assert await until(lambda: not cluster.ids()) == pytest.approx(begun + 120 * MINUTE, abs=11)
        assert open_windows(scaler) == [(Window(words, minimum=3),), ()]


async def test_a_window_that_is_open_at_the_beginning_counts_from_the_first_look(berlin):
    begun = berlin(12, 59)
    cluster = FakeCluster(5)
    async with running(cluster, schedules=[WORK, LUNCH], **AT_ONCE) as scaler:
        assert await until(lambda: bool(cluster.ids())) == pytest.approx(begun, abs=0.02)
        assert len(cluster.ids()) == 1
        assert await until(lambda: len(cluster.ids()) == 5) == pytest.approx(begun + MINUTE, abs=0.2)
        assert len(scaler.statistics().windows) == 1


async def test_a_wall_clock_that_is_set_is_noticed(berlin):
    berlin(6)
    cluster = FakeCluster()
    async with running(cluster, schedules=[WORK], **AT_ONCE):
        await anyio.sleep(5)
        set_at = berlin(9)
        assert await until(lambda: len(cluster.ids()) == 3) - set_at <= calendar.LONGEST_SLEEP
        set_at = berlin(19)
        assert await until(lambda: not cluster.ids()) - set_at <= calendar.LONGEST_SLEEP + 1


async def test_a_step_by_hand_knows_the_calendar(berlin):
    berlin(9)
    cluster = FakeCluster()
    scaler = Adaptive(cluster, schedules=[WORK], **AT_ONCE)
    await scaler._life.step()
    assert len(cluster.ids()) == 3
    berlin(19)
    await scaler._life.step()
    assert cluster.ids() == []
    await scaler._life.step()
    assert len(open_windows(scaler)) == 2


async def test_a_run_with_a_calendar_is_replayed_without_one(berlin, monkeypatch):
    events = []
    step = Scaler.step
    monkeypatch.setattr(Scaler, "step", lambda self, event: (events.append(event), step(self, event)))
    berlin(7, 59)
    cluster = FakeCluster(1)
    options = {"rate_up": "1 in 10s", "stabilization_down": "20s", "budget": 240}
    async with running(cluster, schedules=[WORK], log_length=10**5, **options, **AT_ONCE) as scaler:
        first = scaler._life._state
        await anyio.sleep(80)
        cluster.want(5)
        await anyio.sleep(60)
        cluster.want(0)
        await anyio.sleep(60)
        berlin(19)
        await anyio.sleep(60)
    monkeypatch.undo()
    state, again = first, []
    for event in events:
        state, _, record = decide(state, event)
        again.append(record)
    assert again == list(scaler.history)
    assert {reason.limiter for r in again if r.decision for reason in r.decision.reasons} >= {
        "schedule",
        "rate",
        "stabilization",
    }


async def test_growing_keeps_to_its_rate():
    cluster = FakeCluster(7)
    async with running(cluster, rate_up="2 in 30s") as scaler:
        await until(lambda: len(cluster.ids()) == 2)
        assert scaler.statistics().reasons == ("rate: grows by at most 2 in 30 s",)
        await scaler.wait_for(7)
    times = cluster.times("launch")
    assert [len(call.units) for call in cluster.calls if call.name == "launch"] == [2, 2, 2, 1]
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([30, 30, 30], abs=1.1)


async def test_shrinking_keeps_to_its_rate():
    cluster = FakeCluster(6)
    async with running(cluster, rate_down="2 in 30s", **AT_ONCE) as scaler:
        await scaler.wait_for(6)
        cluster.want(0)
        await until(lambda: not cluster.ids())
    times = sorted(cluster.times("drain"))
    assert [later - earlier for earlier, later in pairwise(times[::2])] == pytest.approx([30, 30], abs=1.1)


async def test_a_thousand_wanted_start_a_few_at_a_time():
    cluster = FakeCluster(1000, startup=2)
    starting = []
    options = {"max_launching": 40, "minimum": 100}
    async with running(cluster, **options) as scaler, anyio.create_task_group() as tasks:
        tasks.start_soon(_watch_starting, cluster, starting)
        await scaler.wait_for(1000)
        tasks.cancel_scope.cancel()
    assert max(starting) == 40


async def _watch_starting(cluster, starting):
    while True:
        starting.append(len(cluster.ids("planned", "requested")))
        await anyio.sleep(0.1)


async def test_a_provider_that_throttles_is_asked_for_few_and_ever_later(monkeypatch):
    monkeypatch.setattr("trio_adaptive.runtime.changes.RETRY_JITTER", 0.0)
    cluster = FakeCluster(100, startup=1)
    cluster.fail("launch", "throttled: too many requests", times=4)
    async with running(cluster, max_launching=5, retry_delay=1) as scaler:
        await until(lambda: scaler.statistics().failures == 4)
        assert scaler.statistics().last_error == "throttled: too many requests"
        await scaler.wait_for(100)
    calls = [call for call in cluster.calls if call.name == "launch"]
    assert max(len(call.units) for call in calls) == 5
    gaps = [later.at - earlier.at for earlier, later in pairwise(calls[:5])]
    assert gaps == pytest.approx([1, 2, 4, 8], abs=0.1)


async def test_a_job_in_the_queue_survives_a_dip():
    cluster = FakeCluster(3, startup=1000)
    async with running(cluster, pending_timeout=30, **AT_ONCE):
        await until(lambda: len(cluster.ids()) == 3)
        for _ in range(5):
            cluster.want(0)
            await anyio.sleep(10)
            cluster.want(3)
            await anyio.sleep(5)
        assert cluster.times("cancel") == []
        cluster.want(0)
        dipped = anyio.current_time()
        assert await until(lambda: not cluster.ids()) - dipped == pytest.approx(30, abs=1.5)


async def test_without_a_load_the_size_is_held_and_then_falls_back():
    cluster = FakeCluster(6)
    options = {"fallback": "static", "fallback_size": 2, "fallback_after": 20}
    async with running(cluster, **options, **AT_ONCE) as scaler:
        await scaler.wait_for(6)
        cluster.fail("target", "the queue does not answer", times=10**4)
        await anyio.sleep(19)
        assert len(cluster.ids()) == 6
        assert scaler.statistics().last_error == "the queue does not answer"
        assert scaler.statistics().note.startswith("the load has not been known for ")
        await until(lambda: len(cluster.ids()) == 2)
        assert scaler.statistics().reasons[0].startswith("fallback: no load for ")
        assert scaler.statistics().samples_failed >= 20
        cluster._failures.clear()
        await until(lambda: scaler.statistics().reasons == ())
        await scaler.wait_for(6)


async def test_without_any_answer_the_fallback_grows_and_shrinks_nothing():
    cluster = FakeCluster(2)
    options = {"fallback": "current-if-higher", "fallback_size": 4, "fallback_after": 20, "maximum": 3}
    async with running(cluster, **options, **AT_ONCE) as scaler:
        await scaler.wait_for(2)
        cluster.fail("look", "unreachable", times=10**4)
        begun = anyio.current_time()
        assert await until(lambda: len(cluster.ids()) == 3) - begun == pytest.approx(21, abs=1.5)
        await anyio.sleep(100)
        assert len(cluster.ids()) == 3


async def test_while_the_load_is_unknown_the_dead_are_replaced_up_to_the_minimum():
    cluster = FakeCluster(3)
    async with running(cluster, minimum=2) as scaler:
        await scaler.wait_for(3)
        cluster.fail("target", "the queue does not answer", times=10**4)
        for name in cluster.ids()[:2]:
            cluster.kill(name)
        await until(lambda: len(cluster.ids()) == 2)
        await anyio.sleep(20)
        assert len(cluster.ids()) == 2


async def test_the_budget_shows_in_the_statistics():
    cluster = FakeCluster(100)
    async with running(cluster, budget=1, budget_period="1h", interval=10, **AT_ONCE) as scaler:
        await scaler.wait_for(12)
        await anyio.sleep(600)
        budget = scaler.statistics().budget
        assert (budget.hours, budget.period) == (1.0, HOUR)
        assert 0.5 < budget.used < 1
        assert budget.burn_rate == len(cluster.ids())
        assert scaler.statistics().reasons[0].startswith("budget: 0.")
    async with running(FakeCluster()) as scaler:
        await anyio.sleep(5)
        assert scaler.statistics().budget is None
