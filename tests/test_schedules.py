"""Windows of the calendar: days, nights, weeks, and the two days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.decision.limits import Window
from trio_adaptive.schedules import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Schedule("0 8 * * mon-fri", "0 18 * * mon-fri", "Europe/Berlin", minimum=10)
NIGHT = Schedule("0 22 * * *", "0 6 * * *", "Europe/Berlin", maximum=2)


def berlin(*when):
    return datetime(*when, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("schedule", "at", "is_open"),
    [
        (DAY, berlin(2026, 6, 1, 7, 59, 59), False),  # a Monday
        (DAY, berlin(2026, 6, 1, 8), True),
        (DAY, berlin(2026, 6, 1, 17, 59, 59), True),
        (DAY, berlin(2026, 6, 1, 18), False),
        (DAY, berlin(2026, 6, 6, 12), False),  # a Saturday
        (DAY, datetime(2026, 6, 1, 6, tzinfo=UTC), True),  # 8 o'clock in Berlin
        (DAY, datetime(2026, 12, 1, 6, tzinfo=UTC), False),  # 7 o'clock in Berlin
        (NIGHT, berlin(2026, 6, 1, 23), True),
        (NIGHT, berlin(2026, 6, 2, 3), True),
        (NIGHT, berlin(2026, 6, 2, 6), False),
        (Schedule("0 0 1 * *", "0 0 8 * *", minimum=1), datetime(2026, 6, 5, tzinfo=UTC), True),
        (Schedule("0 0 1 * *", "0 0 8 * *", minimum=1), datetime(2026, 6, 9, tzinfo=UTC), False),
    ],
)
def test_it_is_open_from_its_start_to_its_end(schedule, at, is_open):
    assert schedule.is_open(at) == is_open


def test_the_hour_that_is_left_out_opens_when_it_would_have_come():
    schedule = Schedule("30 2 * * *", "0 5 * * *", "Europe/Berlin", minimum=1)
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    assert not schedule.is_open(before)
    assert schedule.next_change(before) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert schedule.is_open(datetime(2026, 3, 29, 1, tzinfo=UTC))


def test_the_hour_that_is_there_twice_opens_once():
    schedule = Schedule("30 2 * * *", "0 5 * * *", "Europe/Berlin", minimum=1)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.next_change(first - timedelta(minutes=1)) == first
    for minutes in range(0, 210, 10):
        assert schedule.is_open(first + timedelta(minutes=minutes))
    assert not schedule.is_open(datetime(2026, 10, 25, 4, tzinfo=UTC))


@settings(max_examples=200)
@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    schedule=st.sampled_from([DAY, NIGHT, Schedule("30 2 * * *", "15 3 * * *", "Europe/Berlin", 1)]),
)
def test_nothing_changes_before_the_next_change(at, schedule):
    change = schedule.next_change(at)
    assert change > at
    just_before = max(at, change - timedelta(microseconds=1))
    assert schedule.is_open(just_before) == schedule.is_open(at)


def test_it_is_told_in_words():
    words = "0 8 * * mon-fri to 0 18 * * mon-fri, Europe/Berlin"
    assert DAY.window == Window(words, minimum=10)
