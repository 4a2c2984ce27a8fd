"""What keeps the size from following the load too closely: stabilization, rates, the starting ones, tolerance."""

from __future__ import annotations

import pytest
from decision_worlds import fleet, of_kind
from limiters_kit import decided, limited, percent, rate, sizes, town

from trio_adaptive.decision.limits import Wish
from trio_adaptive.decision.model import AddRequest, Drain, Launch, Recall, SetHold

# Stabilization


def test_growing_waits_until_it_was_asked_for_throughout_the_window():
    place = town(stabilization_up=10)
    sizes(place, 2, 12)
    assert sizes(place, 9, 5) == [2] * 5
    assert place.core.reasons == [("stabilization", 9, 2)]
    assert sizes(place, 5, 6) == [2, 2, 2, 2, 5, 5]  # the least of ten seconds
    assert decided(place).reasons == ()


def test_shrinking_waits_for_the_most_that_was_asked_for_in_the_window():
    place = town(stabilization_down=10)
    assert sizes(place, 9, 1) == [9]
    assert sizes(place, 2, 9) == [9] * 9
    (reason,) = decided(place).reasons
    assert reason.why == "not asked for throughout the last 10 s"
    assert sizes(place, 4, 1) == [4]
    assert decided(place).reasons == ()


def test_the_size_goes_as_far_as_the_window_agrees():
    place = town(stabilization_down=10)
    sizes(place, 9, 1)
    sizes(place, 6, 5)
    assert sizes(place, 2, 5) == [9, 9, 9, 9, 6]
    (reason,) = decided(place).reasons
    assert (reason.before, reason.after) == (2, 6)
    assert reason.why == "the most that was asked for in 10 s"


def test_a_restart_does_not_shrink_at_once():
    core = limited(stabilization_down=10)
    assert [core.step(at, fleet("a", "b"), 0) for at in range(10)] == [()] * 10
    assert len(of_kind(core.step(10, fleet("a", "b"), 0), Drain)) == 2


def test_what_a_user_says_is_not_smoothed():
    core = limited(stabilization_up=60, stabilization_down=60, tolerance_up=0.5, tolerance_down=0.5)
    units = fleet(*"abcdefghij")
    core.step(0, units, 10)
    core.feed(AddRequest(0.5, 11, until=5))
    assert len(of_kind(core.step(1, units, 10), Launch)) == 1
    core.feed(SetHold(5, 9))
    assert len(of_kind(core.step(6, units, 10), Drain)) == 1


def test_only_what_may_still_be_the_extreme_is_remembered():
    core = limited(stabilization_up=1000, stabilization_down=1000)
    for at in range(500):
        core.step(at, fleet("a"), (7 * at) % 13)
    memory = core.state.memory
    assert len(memory.peaks) <= 13
    assert [wish.n for wish in memory.peaks] == sorted({w.n for w in memory.peaks}, reverse=True)
    assert [wish.n for wish in memory.dips] == sorted({w.n for w in memory.dips})
    assert memory.peaks[-1] == memory.dips[-1] == Wish(499, (7 * 499) % 13)


# Rates


def test_growing_by_so_many_in_a_period():
    place = town(rate_up=(rate(2, 10),))
    assert sizes(place, 7, 32) == [2] * 10 + [4] * 10 + [6] * 10 + [7] * 2
    assert {r.why for tick in place.core.records if tick.decision for r in tick.decision.reasons} == {
        "grows by at most 2 in 10 s"
    }


def test_shrinking_by_so_many_in_a_period():
    place = town(rate_down=(rate(2, 10),))
    sizes(place, 7, 1)
    assert sizes(place, 0, 32) == [5] * 10 + [3] * 10 + [1] * 10 + [0] * 2


def test_growing_by_a_share_of_the_size_begins_with_one():
    place = town(rate_up=(percent(100, 10),))
    assert sizes(place, 20, 60)[::10] == [1, 2, 4, 8, 16, 20]


def test_a_share_is_rounded_up_but_not_by_a_hair():
    place = town(rate_up=(percent(15, 10),), core={"minimum": 20})
    sizes(place, 0, 1)
    place.now += 10
    assert sizes(place, 99, 1) == [23]  # 20 * 1.15 is 23, whatever floats make of it


def test_shrinking_by_a_share_of_the_size():
    place = town(rate_down=(percent(50, 10),))
    sizes(place, 20, 1)
    assert sizes(place, 0, 60)[::10] == [10, 5, 2, 1, 0, 0]


@pytest.mark.parametrize(("choice", "first"), [("loosest", 4), ("strictest", 1)])
def test_of_several_rates_the_loosest_or_the_strictest_counts(choice, first):
    for several in ((percent(100, 15), rate(4, 15)), (rate(4, 15), percent(100, 15))):
        assert sizes(town(rate_up=several, rate_choice=choice), 50, 1) == [first]


def test_a_rate_moves_nothing_by_itself():
    # More was launched within the period than the rate allows, by the minimum: that is no reason to shrink.
    place = town(rate_up=(rate(1, 100),), core={"minimum": 5})
    assert sizes(place, 9, 50) == [5] * 50


def test_rates_count_whole_units_and_at_least_one():
    place = town(rate_up=(rate(1, 10),), size=4)
    assert sizes(place, 99, 11) == [1] * 10 + [2]
    place = town(rate_up=(rate(9, 10),), size=4)
    assert sizes(place, 99, 1) == [2]


def test_rates_hold_for_what_a_user_says_as_well():
    place = town(rate_up=(rate(1, 10),))
    place.core.feed(SetHold(0, 3))
    assert sizes(place, 0, 21)[::10] == [1, 2, 3]


def test_launches_that_failed_count_for_the_rate():
    core = limited(rate_up=(rate(3, 60),))
    core.look(0, (), 9)
    core.finish(1, "launch", ["new-0", "new-1", "new-2"], "failed", "no quota")
    assert [core.look(at, (), 9) for at in (2, 30, 59)] == [()] * 3
    assert len(of_kind(core.look(60, (), 9), Launch)) == 3


def test_without_rates_nothing_is_remembered():
    place = town(max_launching=3)
    sizes(place, 9, 5)
    assert place.core.state.memory.changes == ()


# How many start at once


def test_no_more_start_at_once_than_allowed():
    place = town(max_launching=3, startup=5)
    found = sizes(place, 1000, 26)
    assert found == [3] * 5 + [6] * 5 + [9] * 5 + [12] * 5 + [15] * 5 + [18]
    (reason,) = decided(place).reasons
    assert (reason.limiter, reason.why) == ("launching", "0 starting, at most 3 at once")
    place.tick(1000)
    assert decided(place).reasons[0].why == "3 starting, at most 3 at once"


def test_not_even_the_minimum_starts_more_at_once():
    place = town(max_launching=3, startup=5, core={"minimum": 9})
    assert sizes(place, 0, 11) == [3] * 5 + [6] * 5 + [9]


def test_what_was_launched_and_is_not_yet_to_be_seen_counts_as_starting():
    core = limited(max_launching=3)
    assert len(of_kind(core.look(0, (), 9), Launch)) == 3
    assert core.look(1, (), 9) == ()
    core.finish(2, "launch", ["new-0", "new-1", "new-2"])
    assert core.look(3, (), 9, begun=1.5) == ()


def test_those_that_are_recalled_do_not_start():
    core = limited(max_launching=1)
    units = fleet(*"abcd")
    core.step(0, units, 1)
    actions = core.look(1, units, 9)
    assert len(of_kind(actions, Recall)) == 3
    assert len(of_kind(actions, Launch)) == 1


def test_units_that_are_taken_back_still_count_until_they_are_gone():
    core = limited(max_launching=2)
    pending = fleet("p", "q", state="requested")
    core.step(0, pending, 0)
    assert core.look(1, pending, 5) == ()


# Tolerance


@pytest.mark.parametrize(
    ("wanted", "final"), [(6, 6), (7, 10), (9, 10), (10, 10), (12, 10), (13, 13), (0, 0), (100, 100)]
)
def test_small_differences_change_nothing(wanted, final):
    core = limited(tolerance_up=0.2, tolerance_down=0.3)
    core.step(0, fleet(*"abcdefghij"), wanted)
    assert core.last.decision.final == final
    if final == 10 != wanted:
        (reason,) = core.last.decision.reasons
        assert reason.why == f"{wanted} is within {20 if wanted > 10 else 30} % of 10"


def test_a_difference_of_exactly_the_tolerance_is_within_it():
    core = limited(tolerance_down=0.1)
    core.step(0, fleet(*(f"u{i}" for i in range(30))), 27)
    assert core.last.decision.final == 30


def test_from_nothing_every_number_is_a_difference():
    core = limited(tolerance_up=0.9)
    assert len(of_kind(core.look(0, (), 1), Launch)) == 1


def test_a_slow_rate_gets_over_the_tolerance():
    place = town(tolerance_up=0.5, rate_up=(rate(1, 10),), core={"minimum": 4})
    assert sizes(place, 20, 1) == [4]
    assert sizes(place, 20, 200)[-1] == 14  # 20 is within 50 % of 14
    assert place.core.reasons == [("rate", 20, 15), ("tolerance", 15, 14)]


def test_the_bounds_are_kept_whatever_the_tolerance():
    core = limited(tolerance_up=0.5, tolerance_down=0.5, core={"minimum": 11, "maximum": 11})
    assert len(of_kind(core.look(0, fleet(*"abcdefghij"), 10), Launch)) == 1
