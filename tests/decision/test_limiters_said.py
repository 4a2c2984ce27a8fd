"""What a user has said of the size, and a pause above all."""

from __future__ import annotations

import itertools

import pytest
from decision_worlds import Core, fleet, ids, of_kind
from limiters_kit import limited

from trio_adaptive.decision.limits import Window
from trio_adaptive.decision.model import (
    AddRequest,
    Cancel,
    Drain,
    Launch,
    SetHold,
    SetLimits,
    SetPause,
    SetSchedule,
)

DAY = Window("by day", minimum=3, maximum=5)
NIGHT = Window("at night", maximum=2)


def scheduled(*windows, **options):
    core = Core(**options)
    core.feed(SetSchedule(0, windows))
    return core


# Pause


@pytest.mark.parametrize(
    "command",
    [SetHold(0, 5), AddRequest(0, 5), SetLimits(0, minimum=5), SetSchedule(0, (Window("always", 5),))],
    ids=lambda command: type(command).__name__,
)
def test_nothing_grows_while_growing_is_paused(command):
    core = Core()
    core.feed(SetPause(0, "growing", paused=True))
    core.feed(command)
    assert core.look(1, fleet("a"), 1) == ()
    assert core.reasons[-1] == ("pause", 5, 1)
    core.feed(SetPause(2, "growing", paused=False))
    assert len(of_kind(core.look(3, fleet("a"), 1), Launch)) == 4


@pytest.mark.parametrize(
    "command",
    [SetHold(0, 1), SetLimits(0, maximum=1), SetSchedule(0, (Window("always", maximum=1),))],
    ids=lambda command: type(command).__name__,
)
def test_nothing_shrinks_while_shrinking_is_paused(command):
    core = Core()
    core.feed(SetPause(0, "shrinking", paused=True))
    core.feed(command)
    assert core.step(1, fleet("a", "b", "c"), 3) == ()
    assert core.reasons[-1] == ("pause", 1, 3)
    core.feed(SetPause(2, "shrinking", paused=False))
    assert len(of_kind(core.step(3, fleet("a", "b", "c"), 3), Drain)) == 2


def test_a_worker_that_dies_during_a_pause_is_not_replaced():
    core = Core(minimum=2)
    core.look(0, fleet("a", "b"), 2)
    core.feed(SetPause(0.5, "both", paused=True))
    assert core.look(1, fleet("a"), 2) == ()
    assert core.reasons == [("pause", 2, 1), ("minimum", 1, 2), ("pause", 2, 1)]


# The earlier is the stronger


def test_a_hold_is_exact_whatever_is_requested_or_scheduled():
    core = scheduled(DAY)
    core.feed(AddRequest(0, 4))
    core.feed(SetHold(0, 1, until=10))
    core.step(1, fleet("a"), 9)
    assert core.reasons == [("hold", 9, 1)]
    core.step(10, fleet("a"), 9)
    assert core.reasons == [("schedule", 9, 5)]


def test_a_request_goes_beyond_a_schedule():
    core = scheduled(NIGHT)
    core.feed(AddRequest(0, 4, until=10))
    core.step(1, fleet("a"), 9)
    assert core.reasons == [("schedule", 9, 4)]
    core.step(10, fleet("a"), 9)
    assert core.reasons == [("schedule", 9, 2)]


# Schedules


@pytest.mark.parametrize(("wanted", "final"), [(0, 3), (3, 3), (4, 4), (9, 5)])
def test_a_window_is_a_floor_and_a_cap(wanted, final):
    core = scheduled(DAY)
    core.look(1, (), wanted)
    assert core.last.decision.final == final
    why = [reason.why for reason in core.last.decision.reasons]
    floor, cap = "at least 3 by the schedule by day", "at most 5 by the schedule by day"
    assert why == ([floor] if wanted < final else [cap] if wanted > final else [])


def test_a_window_ends_with_the_event_that_says_so():
    core = scheduled(DAY)
    core.look(1, (), 0)
    assert core.last.decision.final == 3
    core.feed(SetSchedule(2, ()))
    core.step(3, fleet("new-0", "new-1", "new-2"), 0)
    assert (core.last.decision.final, core.reasons) == (0, [])


def test_of_several_windows_the_highest_floor_and_the_lowest_cap_count_in_any_order():
    windows = (Window("a", 2, 8), Window("b", 3), Window("c", 1, 6), Window("d", maximum=9))
    for order in itertools.permutations(windows):
        for wanted, final, words in ((0, 3, "b"), (9, 6, "c")):
            core = scheduled(*order)
            core.look(1, (), wanted)
            (reason,) = core.last.decision.reasons
            assert (reason.after, reason.why.split()[-1]) == (final, words)


def test_a_floor_above_a_cap_gives_way_and_the_bounds_stay_the_last_word():
    core = scheduled(Window("a", 7), NIGHT, maximum=1)
    core.look(1, (), 0)
    assert core.reasons == [("schedule", 0, 2), ("maximum", 2, 1)]


def test_windows_count_workers_and_become_whole_units():
    core = scheduled(Window("a", 3, 7))
    core.size = 2
    assert len(of_kind(core.look(1, (), 0), Launch)) == 2
    core.look(2, (), 99)
    assert core.last.decision.final == 3
    why = "at most 7 workers in units of 2 by the schedule a"
    assert core.last.decision.reasons[0].why == why


# Pending patience


def test_what_waits_in_a_queue_has_a_patience_of_its_own():
    core = limited(pending_timeout=10)
    jobs, here = fleet("p", "q", state="requested"), fleet("a", "b")
    assert core.step(0, here, 1) == (Drain(ids("a")),)
    core = limited(pending_timeout=10)
    assert [core.step(at, (*here, *jobs), 2) for at in range(10)] == [()] * 10
    assert core.step(10, (*here, *jobs), 2) == (Cancel(ids("q", "p")),)


def test_a_dip_shorter_than_the_pending_patience_costs_no_place_in_the_queue():
    core = limited(pending_timeout=10)
    jobs = fleet("p", "q", state="requested")
    for at in range(60):
        target = 2 if at % 11 == 10 else 0  # a dip of ten looks
        assert core.step(at, jobs, target) == ()


def test_the_pending_patience_does_not_hold_against_the_maximum():
    core = limited(pending_timeout=1000, core={"maximum": 1})
    assert core.step(0, fleet("p", "q", state="requested"), 2) == (Cancel(ids("q")),)
