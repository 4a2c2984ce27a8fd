"""The budget: no period uses more, the size comes down gently, and the cap does not chase the spending."""

from __future__ import annotations

from itertools import pairwise

import pytest
from decision_worlds import fleet, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from limiters_kit import decided, limited, sizes, town

from trio_adaptive.decision.limiters import budget_statistics

HOUR = 3600.0
DAY = 24 * HOUR


def budgeted(**options):
    """One worker-hour for an hour: a worker all the time."""
    return town(budget=1.0, budget_period=HOUR, **options)


def test_it_counts_what_was_paid_and_forgets_after_the_period():
    core = limited(budget=1.0, budget_period=HOUR)
    units = (
        *fleet("a"),
        unit("p", "requested"),
        unit("l", "leaving"),
        unit("f", "failed"),
        unit("n", "planned"),
    )
    for at in range(0, 601, 10):
        core.look(at, units, 1)
    standing = budget_statistics(core.state)
    assert standing.used == pytest.approx(3 * 600 / HOUR)
    assert standing.burn_rate == 3
    assert (standing.hours, standing.period) == (1.0, HOUR)
    core.look(700, fleet("a"), 1)  # the time before the look counts as what the look before it showed
    assert budget_statistics(core.state).used == pytest.approx(3 * 700 / HOUR)
    core.look(601 + 61 * 60, (), 0)
    assert budget_statistics(core.state).used == pytest.approx((601 + 60 * 61 - 720) / HOUR, abs=0.05)
    core.look(601 + 61 * 60 + 2 * HOUR, (), 0)
    assert budget_statistics(core.state).used == 0


def test_without_a_budget_nothing_is_counted():
    core = limited()
    core.look(0, fleet("a"), 1)
    assert budget_statistics(core.state) is None
    assert core.state.memory.spending is None


def test_the_size_comes_down_gently_and_less_than_the_budget_is_used():
    place = budgeted()
    found = sizes(place, 100, 12 * 60, after=5.0)
    assert found[0] == 12  # a twenty-fourth of an hour, twice over
    assert all(before - after <= 1 for before, after in pairwise(found))
    used = budget_statistics(place.core.state).used
    assert 0.9 < used <= 1
    (reason,) = decided(place).reasons
    assert reason.limiter == "budget"
    assert reason.why.endswith(" of 1 worker-hours are used")


def test_the_minimum_is_kept_whatever_it_costs():
    place = budgeted(core={"minimum": 3})
    assert min(sizes(place, 100, 1000, after=10.0)) == 3
    assert budget_statistics(place.core.state).used > 1


def test_units_of_several_workers_cost_as_many():
    place = budgeted(size=4)
    assert sizes(place, 100, 1) == [3]
    place.tick(0)
    assert budget_statistics(place.core.state).burn_rate == 12


@pytest.mark.parametrize("size", [1, 4])
def test_a_small_budget_is_spent_as_well(size):
    place = town(budget=0.02 * size, budget_period=HOUR, size=size)
    found = sizes(place, 1, 6 * 360, after=10.0)
    assert 0.01 * size < budget_statistics(place.core.state).used <= 0.02 * size
    turns = [after - before for before, after in pairwise(found) if after != before]
    assert 4 < len(turns) <= 2 * 6


@settings(max_examples=30)
@given(
    hours=st.floats(0.05, 50),
    loads=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    after=st.sampled_from([5.0, 30.0]),
    startup=st.sampled_from([0.0, 60.0]),
)
def test_no_period_uses_more_than_the_budget(hours, loads, after, startup):
    place = town(budget=hours, budget_period=HOUR, startup=startup)
    paid = []
    for load in loads:
        found = sizes(place, load, int(1.5 * HOUR / after / len(loads)), after=after)
        paid += [n * after / HOUR for n in found]
    period = int(HOUR / after)
    most = max(sum(paid[i : i + period]) for i in range(len(paid)))
    # What was decided by the last look is paid until the next one.
    assert most <= hours * (1 + 24 * after / HOUR)


@settings(max_examples=20)
@given(hours=st.floats(0.05, 50), load=st.integers(0, 80), startup=st.sampled_from([0.0, 60.0]))
def test_under_constant_load_the_size_turns_at_most_twice_in_a_period(hours, load, startup):
    place = town(budget=hours, budget_period=HOUR, startup=startup)
    found = sizes(place, load, 4 * 360, after=10.0)
    moves = [after - before for before, after in pairwise(found) if after != before]
    turns = [i for i, (a, b) in enumerate(pairwise(moves)) if (a > 0) != (b > 0)]
    assert len(turns) <= 2 * 4
