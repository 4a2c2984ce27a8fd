"""The order in which units leave: total, the same whatever the order of what is looked at, and of whole units."""

from __future__ import annotations

import pytest
from decision_worlds import unit
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.model import Candidate, WorkerName
from trio_adaptive.decision.victims import ranked, whole_units


def candidate(name, **what):
    return Candidate(WorkerName(name), **{"idle": 5.0, **what})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"idle": 1.0, "unique": 99, "stored": 99}, {"idle": None, "processing": 1}),
        ({"idle": 9.0, "unique": 99, "stored": 99}, {"idle": 7.0}),
        ({"idle": 8.0}, {"idle": 9.0, "unique": 99, "stored": 99}),
        ({"idle": 9.0}, {"idle": 8.0}),
        ({"unique": 1, "stored": 99}, {"unique": 2, "stored": 2}),
        ({"stored": 1}, {"stored": 2}),
        ({"idle": None, "processing": 1, "stored": 7}, {"idle": None, "processing": 2, "stored": 7}),
        ({"idle": None, "processing": 5, "stored": 6}, {"idle": None, "processing": 2, "stored": 7}),
        ({}, {}),  # by name
    ],
)
def test_who_leaves_first(first, second):
    pair = [candidate("b", **second), candidate("a", **first)]
    assert ranked(pair, [unit("b"), unit("a")], 1) == ["a"]
    assert ranked(pair, [unit("b"), unit("a")], 0) == ["a", "b"]


def test_a_unit_has_been_idle_since_the_last_of_its_workers():
    units = [unit("a", size=2), unit("b", size=2)]
    idle = {"a.0": 100.0, "a.1": 1.0, "b.0": 2.0, "b.1": 2.0}
    assert ranked([candidate(name, idle=s) for name, s in idle.items()], units, 2) == ["b.0", "b.1"]


def test_a_smaller_unit_goes_where_the_best_one_is_too_large():
    units = [unit("big", size=3), unit("small")]
    workers = [candidate(name, idle=9.0) for name in units[0].workers]
    assert ranked([*workers, candidate("small")], units, 3) == ["small"]


def test_only_registered_units_are_counted_and_leave():
    units = [unit("a"), unit("b", "leaving"), unit("c", "requested")]
    assert ranked([candidate(name) for name in "abc"], units, 1) == []


@st.composite
def cities(draw):
    """Units of several sizes with what is known of their workers, which may be nothing."""
    units = [unit(f"u{i}", size=size) for i, size in enumerate(draw(st.lists(st.integers(1, 3), max_size=6)))]
    few = st.integers(0, 2)
    known = [
        Candidate(
            name,
            processing=draw(few),
            idle=draw(st.none() | st.sampled_from([0.0, 3.0])),
            unique=draw(few),
            stored=draw(few),
            stays=draw(st.sampled_from(["", "", "", "it holds an actor"])),
        )
        for each in units
        for name in each.workers
        if draw(st.integers(0, 9))
    ]
    return units, known


@given(cities(), st.integers(0, 20), st.randoms(use_true_random=False))
def test_the_same_units_in_whatever_order_they_come(city, target, dice):
    units, known = city
    shuffled_units, shuffled = units[:], known[:]
    dice.shuffle(shuffled_units)
    dice.shuffle(shuffled)
    assert ranked(shuffled, shuffled_units, target) == ranked(known, units, target)


@given(cities(), st.integers(0, 20))
def test_whole_units_that_may_leave_and_never_too_many(city, target):
    units, known = city
    going = ranked(known, units, target)
    chosen = whole_units(going, units)
    assert sorted(going) == sorted(w for each in units if each.id in chosen for w in each.workers)
    assert len(set(going)) == len(going)
    assert set(going) <= {each.name for each in known if not each.stays}
    total = sum(each.size for each in units)
    assert not going or total - len(going) >= target


@given(cities())
def test_all_leave_that_may_and_a_larger_target_keeps_some_of_them(city):
    units, known = city
    free = {each.name for each in known if not each.stays}
    everybody = ranked(known, units, 0)
    assert set(everybody) == {w for each in units if free.issuperset(each.workers) for w in each.workers}
    for target in range(12):
        some = ranked(known, units, target)
        assert [name for name in everybody if name in some] == some
