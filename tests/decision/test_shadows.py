"""Policies that only advise: what they would have done, in a cluster that is only estimated."""

from __future__ import annotations

import functools

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    AddRequest,
    Load,
    Sample,
    Sampled,
    SampleFailed,
    SetLimits,
    SetPolicy,
    TaskGroup,
    Unit,
    Work,
)
from trio_adaptive.decision.policy import Advice
from trio_adaptive.decision.shadows.echo import Echo, EchoUnit, Fact, Kind
from trio_adaptive.decision.shadows.fluid import flow
from trio_adaptive.decision.shadows.follow import told
from trio_adaptive.decision.state import Rules, Shadow, State
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.decision.targets.simple import Count, Fixed
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.generated import generate

NAMES = ("dask", "count", "adaptive")


@functools.cache
def run(family, name):
    shadows = tuple(Shadow(each, named_policy(each)) for each in NAMES)
    setup = Setup(named_policy(name), Hardware(startup=30), maximum=48, shadows=shadows)
    return simulate(generate(family, 2), setup)


@pytest.mark.parametrize("family", ["fan", "trickle"])
@pytest.mark.parametrize("name", NAMES)
def test_a_policy_that_does_the_same_costs_and_waits_the_same(family, name):
    done = run(family, name)
    shadow = told(next(s for s in done.state.shadows if s.name == name))
    assert abs(shadow.cost) < 0.02 * done.account.cost
    assert abs(shadow.waiting) < 0.01 * done.waited + 25


@pytest.mark.parametrize("name", NAMES)
def test_the_estimate_is_near_to_a_run_of_its_own(name):
    family = "fan"
    done = run(family, name)
    for shadow in map(told, done.state.shadows):
        alone = run(family, shadow.name)
        assert not shadow.error
        assert shadow.cost == pytest.approx(
            alone.account.cost - done.account.cost, abs=0.1 * done.account.cost
        )
        waited = alone.waited - done.waited
        assert shadow.waiting == pytest.approx(waited, abs=0.5 * max(alone.waited, done.waited))


def a_look(at, *, workers=2, ready=0, running=0, measured=0):
    group = TaskGroup("load", ready, running, measured=measured, mean=2.0)
    work = Work(
        workers,
        min(workers, running),
        workers,
        running,
        ready,
        seconds=2.0 * (ready + running),
        groups=(group,),
    )
    units = tuple(Unit(f"u{i}", "registered", (f"u{i}",), executing=int(i < running)) for i in range(workers))
    return Sampled(Sample(at, at, "interval", units, Load(workers, "it says so", running, work=work), 1))


def with_shadow(policy, **more):
    return State(
        Rules(wait_count=1), Fixed(2), policy_name="fixed:2", shadows=(Shadow("it", policy),), **more
    )


def steps(state, *events):
    record = None
    for event in events:
        state, _, record = decide(state, event)
    return state, record


def test_it_is_told_in_each_record_and_changes_nothing_else():
    events = [a_look(float(i), ready=8, running=2) for i in range(5)]
    alone, _ = steps(evolve(with_shadow(Count()), shadows=()), *events)
    state, record = steps(with_shadow(Count()), *events)
    (shadow,) = record.shadows
    assert (shadow.name, shadow.target, shadow.size) == ("it", 10, 10)
    assert shadow.cost == 4 * (10 - 2)
    assert evolve(state, shadows=()) == alone


def test_limits_and_requests_hold_there_as_well():
    _, record = steps(
        with_shadow(Count()), a_look(0), SetLimits(0.5, maximum=3), a_look(1, ready=9, running=2)
    )
    assert record.shadows[0].target == 3
    _, record = steps(with_shadow(Fixed(0)), a_look(0), AddRequest(0.5, 7), a_look(1))
    assert record.shadows[0].target == 7


def test_while_nothing_is_known_it_says_what_it_said_last():
    _, record = steps(with_shadow(Count()), a_look(0, ready=3, running=2), SampleFailed(1, "no answer"))
    assert record.shadows[0].target == 5


@frozen
class Learning:
    """Counts what it has seen."""

    seen: int = 0

    def advise(self, view):
        return Learning(self.seen + 1), Advice(2, "two")


def test_it_takes_over_with_all_that_it_has_seen_and_the_one_before_advises():
    state, _ = steps(with_shadow(Learning()), *map(a_look, range(5)))
    state, record = steps(state, SetPolicy(5, "it", Learning()))
    assert (state.policy, state.policy_name) == (Learning(5), "it")
    assert [shadow.name for shadow in record.shadows] == ["fixed:2"]
    _, record = steps(state, a_look(6, ready=9))
    assert record.decision.load.why == "two"
    assert (record.shadows[0].target, record.shadows[0].cost) == (2, 0)


class Broken:
    """A policy with a mistake in it."""

    def advise(self, view):
        raise KeyError("group")


def test_one_that_fails_says_why_and_ends_nothing():
    state, record = steps(with_shadow(Broken()), a_look(0), a_look(1))
    assert record.decision.final == 2
    assert record.shadows[0].error == "KeyError: 'group'"
    state, _ = steps(state, SetPolicy(2, "it", Fixed(4)))
    assert state.policy == Fixed(4)


COUNTS = st.integers(0, 30)


@given(
    kinds=st.dictionaries(
        st.sampled_from("abc"), st.builds(Kind, st.floats(0, 50), COUNTS, COUNTS, st.floats(0, 9))
    ),
    groups=st.lists(
        st.builds(TaskGroup, st.sampled_from("abcd"), COUNTS, COUNTS, measured=COUNTS, mean=st.floats(0, 9)),
        min_size=1,
        unique_by=lambda group: group.name,
    ).map(tuple),
    units=st.integers(0, 9),
    threads=COUNTS,
    elapsed=st.floats(0, 60),
)
def test_tasks_neither_appear_nor_end_below_nothing(kinds, groups, units, threads, elapsed):
    fact = Fact(0, sum(kind.seen for kind in kinds.values()), threads)
    there = tuple(EchoUnit(f"u{i}", 0.0, registered=True) for i in range(units))
    after = flow(Echo(0.0, there, kinds=kinds, fact=fact), Work(queued=1, groups=groups), elapsed)
    for name, kind in after.items():
        before = kinds.get(name, Kind(0.0))
        group = next((g for g in groups if g.name == name), TaskGroup(name))
        assert 0 <= kind.there <= before.there + group.ready + group.running + group.measured + 1e-9
    if not units:
        assert all(after[name].there >= kind.there - 1e-9 for name, kind in kinds.items())
