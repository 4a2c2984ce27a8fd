"""What keeps the size from what the load asks for, in words: the status line, the records as lines."""

from __future__ import annotations

import anyio
import pytest
from scenes import running, until

from trio_adaptive.decision.limits import Window
from trio_adaptive.decision.model import Record, SetSchedule
from trio_adaptive.journal.words import in_words
from trio_adaptive.service.status import status_text
from trio_adaptive.testing import FakeCluster

pytestmark = pytest.mark.anyio


async def shown_after(seconds, cluster, **options):
    async with running(cluster, **options) as scaler:
        await anyio.sleep(seconds)
        return status_text(scaler).plain


async def test_the_status_line_names_the_limiters():
    text = await shown_after(5, FakeCluster(50, startup=9), max_launching=3, maximum=20)
    assert "target 3 of 0..20, load asks for 50 (launching: 3 starting, at most 3 at once)" in text


async def test_the_status_line_shows_the_budget():
    text = await shown_after(1801, FakeCluster(1), budget=2, budget_period="1h", interval=10)
    assert "│ 0.5 of 2 worker-hours, burning at 0.5" in text


async def test_the_status_line_shows_neither_where_there_is_none():
    text = await shown_after(5, FakeCluster(2))
    assert "target 2 of 0..inf │" in text
    assert "worker-hours" not in text


async def test_no_load_is_told_and_what_is_done_all_the_same():
    cluster = FakeCluster(1)
    options = {"fallback": "static", "fallback_size": 3, "fallback_after": 5}
    async with running(cluster, **options) as scaler:
        await scaler.wait_for(1)
        cluster.fail("target", "the queue does not answer", times=10**3)
        await scaler.wait_for(3)
        lines = [line for record in scaler.history if (line := in_words(record))]
    assert "no answer, so nothing is changed: the queue does not answer" in lines
    grown = "1 -> 3 (the load is not known, no load for 5 s): launching 2; "
    assert any(line.startswith(grown) for line in lines)


@pytest.mark.parametrize(
    ("windows", "words"),
    [((), "nothing"), ((Window("by day", 3), Window("at night", maximum=2)), "by day; at night")],
)
def test_the_calendar_is_told(windows, words):
    record = Record(0, "command", command=SetSchedule(0, windows))
    assert in_words(record) == f"open by the schedule: {words}"


async def test_a_request_that_a_hold_outdoes_shows_only_in_the_statistics():
    cluster = FakeCluster(5)
    async with running(cluster) as scaler:
        scaler.hold(2)
        scaler.request(4)
        await until(lambda: len(cluster.ids()) == 2)
        assert scaler.statistics().reasons == ("hold: held at 2 until released",)
        assert scaler.statistics().floor.n == 4
