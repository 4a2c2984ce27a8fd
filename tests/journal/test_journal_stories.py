"""What a journal tells in plain words: the chain of reasons, and later what became of it."""

from __future__ import annotations

import math
import time

import pytest
from attrs import evolve
from journal_kit import NOON, a_look, a_run, idle, lines_of

from trio_adaptive.decision.model import (
    AddRequest,
    Finished,
    Lost,
    Outcome,
    SampleFailed,
    SetHold,
    SetLimits,
    SetPause,
    Stop,
    Suggested,
    Unit,
)
from trio_adaptive.journal.lines import End, Header
from trio_adaptive.journal.reading import Damage, read_lines
from trio_adaptive.journal.stories import about, stories
from trio_adaptive.journal.why import stories_in_words


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(events, maximum=9.0, **options):
    first, entries, _ = a_run(events, maximum)
    lines = list(read_lines(lines_of(first, entries)))
    return stories(lines[1:], **options)


def words(events, maximum=9.0, **options):
    lines = stories_in_words(told(events, maximum, **options)).splitlines()
    assert lines[0] == "Monday, 21 September 2026 (UTC)"
    return [line.replace("14:13:", "") for line in lines[1:]]


def pending(*numbers):
    return [Unit(f"adaptive-{n}", "requested", (f"adaptive-{n}",)) for n in numbers]


def here(*numbers):
    return [idle(f"adaptive-{n}", 3.0) for n in numbers]


def done(at, action, *numbers, result="done", **more):
    return Finished(Outcome(at, action, tuple(f"adaptive-{n}" for n in numbers), result, 0.5, **more))


EIGHT = range(8)
FAILED = Unit(
    "adaptive-7", "failed", ("adaptive-7",), detail="quota exceeded; its last output:\nno room\nbye"
)


def test_a_launch_tells_who_came_and_who_did_not():
    events = [
        a_look(1, [], 12),
        done(1.5, "launch", *EIGHT),
        a_look(2, pending(*EIGHT), 12),
        a_look(3.1, [*here(0, 1, 2), *pending(3, 4, 5, 6, 7)], 12),
        a_look(3.5, [*here(0, 1, 2, 3, 4, 5, 6), FAILED], 8),
    ]
    assert words(events, 8)[:6] == [
        "21  wanted 12 because 12 are wanted; there were 0",
        "          maximum 8: 12 becomes 8",
        "          launched 8 units (adaptive-0 to adaptive-7): 7 registered after 2.1 to 2.5 s, 1 failed after 2.5 s: quota exceeded; its last output:",
        "              | no room",
        "              | bye",
        "23  wanted 8 because 8 are wanted; there were 7",
    ]


def test_a_launch_that_is_refused_tells_why_and_for_how_long_nothing_follows():
    events = [
        a_look(1, [], 2),
        done(1.5, "launch", 0, 1, result="failed", detail="quota exceeded"),
        a_look(2, [], 2),
        a_look(2.2, [], 2),
        a_look(9, [], 2),
    ]
    assert words(events) == [
        "21  wanted 2 because 2 are wanted; there were 0",
        "          launched adaptive-0, adaptive-1: 2 failed after 0.5 s: quota exceeded",
        "22  wanted 2 because 2 are wanted; there were 0",
        "          next launch in 0.5 s, after a failure: quota exceeded",
        "29  wanted 2 because 2 are wanted; there were 0",
        "          launched adaptive-2, adaptive-3: 2 not known how they ended",
    ]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (done(9, "drain", 1), "done after 1.0 s"),
        (done(9, "drain", 1, result="refused", detail="it has work"), "refused after 1.0 s: it has work"),
        (done(9, "drain", 1, result="recalled", detail="back in service"), "recalled after 1.0 s"),
        (
            done(9, "drain", 1, result="forced", lost=Lost(2, 3.0)),
            "forced after 1.0 s: 2 tasks begin again, 3.0 task-seconds were lost",
        ),
    ],
)
def test_a_unit_that_is_sent_away_tells_why_this_one_and_how_it_ended(end, text):
    events = [a_look(7, here(0, 1), 1), Suggested(8, 1, ("adaptive-1",)), end, a_look(10, here(0), 1)]
    assert words(events) == [
        "28  wanted 1 because 1 are wanted; there were 2",
        f"          sent adaptive-1 away (idle for 3.0 s): {text}",
    ]


def test_pending_units_that_are_taken_back_and_dead_ones_that_are_cleaned_up():
    events = [
        a_look(1, [], 2),
        done(1.1, "launch", 0, 1),
        a_look(2, [*pending(0, 1), Unit("old", "lost", detail="killed")], 1),
        done(2.5, "cancel", 1),
    ]
    assert words(events)[2:] == [
        "22  wanted 1 because 1 are wanted; there were 2",
        "          cleaned up after old, which had ended",
        "          took back adaptive-1, not registered yet: done after 0.5 s",
    ]


def test_silence_is_one_story_with_its_length():
    events = [
        a_look(1, [], 0),
        SampleFailed(2, "no route to host"),
        SampleFailed(4, "connection refused"),
        a_look(5, [], 0),
        SampleFailed(6, "no route to host"),
    ]
    assert words(events) == [
        "22  no answer for 3.0 s (2 looks), so nothing was changed: no route to host",
        "26  no answer and none since (1 look), so nothing was changed: no route to host",
    ]


def test_commands_are_told():
    events = [
        SetLimits(1, 2, math.inf),
        SetLimits(1, maximum=5),
        SetHold(2, 3),
        SetHold(2, None),
        AddRequest(3, 4),
        SetPause(3, "shrinking", paused=True),
        SetPause(3, "both", paused=False),
        Stop(4, "it is late"),
    ]
    assert [line[4:] for line in words(events)] == [
        "minimum is now 2, maximum is now inf",
        "maximum is now 5",
        "held at 3",
        "no longer held",
        "requested at least 4",
        "shrinking paused",
        "growing and shrinking resumed",
        "stopping: it is late",
    ]


def test_tasks_that_nobody_can_run_are_told_once():
    blocked = {"blocked": ("2 tasks need GPU=1",)}
    events = [a_look(at, [], 0, **blocked) for at in (1, 2, 3)]
    assert words(events) == [
        "21  wanted 0 because 0 are wanted; there were 0",
        "          2 tasks need GPU=1",
    ]


def test_a_time_shows_what_was_decided_then_also_where_nothing_was_done():
    events = [
        a_look(1, [], 1),
        done(1.1, "launch", 0),
        a_look(2, here(0), 1),
        a_look(3, here(0), 5),
        a_look(9, [], 0),
    ]
    assert words(events, 1, at=NOON + 2.5)[-1] == "22  wanted 1 because 1 are wanted; there was 1"
    assert words(events, 1, at=NOON + 8)[-2:] == [
        "23  wanted 5 because 5 are wanted; there was 1",
        "          maximum 1: 5 becomes 1",
    ]
    assert told(events, at=NOON) == []


def test_one_unit_is_told_of_alone_by_its_own_name_or_that_of_its_worker():
    pair = Unit("adaptive-1", "registered", ("w-1", "w-2"))
    events = [a_look(1, [], 3), done(1.1, "launch", 0, 1, 2), a_look(2, [*here(0), pair, *here(2)], 3)]
    for name in ("adaptive-1", "w-2"):
        (story,) = [about(story, name) for story in told(events) if about(story, name)]
        assert (
            stories_in_words([story]).splitlines()[2].strip() == "launched adaptive-1: registered after 1.0 s"
        )
    assert not any(about(story, "w-3") for story in told([*events, Stop(3, "w-3")]))


def test_beginnings_gaps_ends_and_damage_are_told():
    first, _, _ = a_run([])
    begin = Header(NOON, 0.0, first, "begin", "run-1", "trio-adaptive 1", {"maximum": 3})
    lines = [begin, evolve(begin, reason="again"), evolve(begin, reason="lost", lost=7), End(NOON, "bye")]
    lines += [Damage("journal.jsonl", 9, "cut off", 3)]
    assert [line[10:] for line in stories_in_words(stories(lines)).splitlines()[1:]] == [
        "adapting began: run-1 (trio-adaptive 1; maximum=3)",
        "the journal goes on; 7 records could not be kept",
        "adapting ended: bye",
        "unreadable: journal.jsonl, line 9 (and 2 more that build upon it): cut off",
    ]
