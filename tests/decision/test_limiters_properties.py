"""What holds of the chain with any limiters at once, after any history.

Monotone in the load, bounded, the same for any order of what there is, at rest under constant load, never stuck, and the
same again when played once more.
"""

from __future__ import annotations

import math
import random

from attrs import evolve
from decision_worlds import Core, Town, fleet, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from limiters_kit import percent, rate

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.limiters import Facts, limit
from trio_adaptive.decision.limiters.chain import CHAIN
from trio_adaptive.decision.limits import Limits, Window
from trio_adaptive.decision.model import AddRequest, Load, Sample, Sampled, SetHold, SetPause, SetSchedule
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State

thorough = settings(max_examples=150)

RATES = st.sampled_from(
    [
        (),
        (rate(1, 5),),
        (rate(3, 20),),
        (percent(50, 10),),
        (percent(100, 15), rate(4, 15)),
        (rate(2, 3), rate(6, 20), percent(10, 5)),
    ]
)
SECONDS = st.sampled_from([0.0, 0.0, 5.0, 20.0])
SHARES = st.sampled_from([0.0, 0.0, 0.1, 0.35])

PACE = st.builds(
    Limits,
    stabilization_up=SECONDS,
    stabilization_down=SECONDS,
    rate_up=RATES,
    rate_down=RATES,
    rate_choice=st.sampled_from(["loosest", "strictest"]),
    max_launching=st.sampled_from([math.inf, 1, 3]),
    tolerance_up=SHARES,
    tolerance_down=SHARES,
    fallback=st.sampled_from(["current", "static", "current-if-higher"]),
    fallback_size=st.integers(0, 9),
    fallback_after=SECONDS,
)
LIMITS = st.builds(
    lambda pace, hours: evolve(pace, budget=hours, budget_period=600.0),
    PACE,
    st.sampled_from([math.inf, 0.2, 2.0]),
)

SIZES = st.integers(0, 15)
WINDOWS = st.builds(Window, st.sampled_from("abc"), st.none() | SIZES, st.none() | SIZES)
COMMANDS = st.one_of(
    st.builds(SetHold, st.just(0.0), st.none() | SIZES, st.sampled_from([10.0, math.inf])),
    st.builds(AddRequest, st.just(0.0), SIZES, st.sampled_from([10.0, math.inf])),
    st.builds(SetPause, st.just(0.0), st.sampled_from(["growing", "shrinking", "both"]), st.booleans()),
    st.builds(SetSchedule, st.just(0.0), st.lists(WINDOWS, max_size=3).map(tuple)),
)
STEPS = st.lists(st.tuples(SIZES, st.sampled_from([0.3, 1.0, 6.0])), max_size=12)


def build(limits, bounds, size, startup=0.0) -> Town:
    low, more = bounds
    rules = Rules(wait_count=1, idle_timeout=0, limits=limits)
    return Town(Core(rules, minimum=low, maximum=low + more), size=size, startup=startup)


TOWNS = st.builds(
    build,
    LIMITS,
    st.tuples(st.integers(0, 5), st.sampled_from([7, 14, math.inf])),
    st.sampled_from([1, 1, 3]),
    st.sampled_from([0.0, 4.0]),
)


def live(town: Town, steps, commands=()) -> None:
    """Let it have a history: commands at the beginning, then looks."""
    for command in commands:
        town.core.feed(command)
    for load, seconds in steps:
        town.tick(load, after=seconds)


@thorough
@given(town=TOWNS, steps=STEPS, commands=st.lists(COMMANDS, max_size=3), active=SIZES, data=st.data())
def test_more_load_never_makes_less(town, steps, commands, active, data):
    live(town, steps, commands)
    facts = Facts(town.now + 1, active, data.draw(st.integers(0, active)), data.draw(st.integers(0, 3)))
    finals = [limit(town.core.state, facts, wanted).final for wanted in range(40)]
    assert finals == sorted(finals)


@thorough
@given(
    town=TOWNS,
    steps=STEPS,
    commands=st.lists(COMMANDS, max_size=3),
    active=SIZES,
    wanted=SIZES,
    data=st.data(),
)
def test_nothing_escapes_the_bounds_and_nothing_gets_past_a_pause(
    *, town, steps, commands, active, wanted, data
):
    live(town, steps, commands)
    state = town.core.state
    facts = Facts(town.now + 1, active, data.draw(st.integers(0, active)), data.draw(st.integers(0, 3)))
    final = limit(state, facts, wanted).final
    room = max(0, state.rules.limits.max_launching - facts.launching)
    assert final <= max(active, active + facts.recallable + room)
    if state.paused_growing:
        assert final <= active
    if state.paused_shrinking:
        assert final >= active
    else:
        assert final <= state.most
    if not state.paused_growing:
        assert final >= min(state.least, state.most, active + room)


@thorough
@given(town=TOWNS, steps=STEPS, commands=st.lists(COMMANDS, max_size=3), active=SIZES, wanted=SIZES)
def test_the_reasons_lead_from_what_is_wanted_to_what_is_done(town, steps, commands, active, wanted):
    live(town, steps, commands)
    limited = limit(town.core.state, Facts(town.now + 1, active), wanted)
    numbers = [wanted]
    for reason in limited.reasons:
        assert reason.limiter in dict(CHAIN)
        assert reason.why
        assert reason.before == numbers[-1] != reason.after
        numbers.append(reason.after)
    assert numbers[-1] == limited.final


@thorough
@given(
    town=TOWNS,
    steps=STEPS,
    commands=st.lists(COMMANDS, max_size=4),
    wanted=SIZES,
    states=st.lists(st.sampled_from(["registered", "requested", "leaving"]), max_size=12),
    dice=st.randoms(use_true_random=False),
)
def test_the_order_of_what_there_is_decides_nothing(*, town, steps, commands, wanted, states, dice):
    live(town, steps, commands)
    units = [unit(f"u{i}", state, size=town.size) for i, state in enumerate(states)]
    state = town.core.state
    mixed = evolve(
        state,
        floors=shuffled(state.floors, dice),
        windows=shuffled(state.windows, dice),
        rules=evolve(
            state.rules,
            limits=evolve(
                state.rules.limits,
                rate_up=shuffled(state.rules.limits.rate_up, dice),
                rate_down=shuffled(state.rules.limits.rate_down, dice),
            ),
        ),
    )
    decisions = []
    for each, order in ((state, tuple(units)), (mixed, shuffled(units, dice))):
        sample = Sample(town.now + 1, town.now + 1, "interval", order, Load(wanted), town.size)
        decision = decide(each, Sampled(sample))[2].decision
        decisions.append((decision.raw, decision.final, decision.reasons))
    assert decisions[0] == decisions[1]


def shuffled(items, dice: random.Random):
    items = list(items)
    dice.shuffle(items)
    return tuple(items)


@thorough
@given(
    town=TOWNS,
    pace=PACE,
    steps=STEPS,
    commands=st.lists(COMMANDS, max_size=3),
    load=st.integers(0, 20),
    startup=st.sampled_from([0.0, 4.0]),
)
def test_under_constant_load_the_size_goes_one_way_and_then_rests(
    *, town, pace, steps, commands, load, startup
):
    town.core.state = evolve(town.core.state, rules=evolve(town.core.state.rules, limits=pace))
    town.startup = startup
    live(town, steps, commands)
    town.tick(load, after=30.0)  # past whatever expires
    found = [len(town.units)]
    for _ in range(120):
        town.tick(load, after=5.0)
        found.append(len(town.units))
    assert found in (sorted(found), sorted(found, reverse=True))
    assert len(set(found[-40:])) == 1
    assert not any(town.history[-40:])


@thorough
@given(town=TOWNS, pace=PACE, steps=STEPS, load=st.integers(0, 20))
def test_nothing_is_stuck_on_its_way(town, pace, steps, load):
    state = town.core.state
    town.core.state = evolve(state, rules=evolve(state.rules, limits=pace))
    live(town, steps)
    for _ in range(160):
        town.tick(load, after=5.0)
    asked = max(-(-load // town.size), town.core.state.least)
    asked = min(asked, town.core.state.most)
    here = len(town.units)
    allowed = pace.tolerance_up if asked > here else pace.tolerance_down
    assert abs(asked - here) <= allowed * here + 1e-9


@thorough
@given(town=TOWNS, steps=STEPS, commands=st.lists(COMMANDS, max_size=3))
def test_a_recorded_run_gives_the_same_decisions_again(town, steps, commands):
    first = town.core.state
    events = []
    feed = town.core.feed
    town.core.feed = lambda event: (events.append(event), feed(event))[1]
    live(town, steps, commands)
    state, records = first, []
    for event in events:
        state, _, record = decide(state, event)
        records.append(record)
    assert records == town.core.records
    assert state == town.core.state


def test_all_off_is_no_limiter_at_all():
    core = Core()
    for at, wanted in enumerate([5, 0, 7, 3, 1000]):
        core.step(at, fleet("a", "b"), wanted)
        assert core.reasons == []
        assert core.last.decision.final == wanted
    assert core.state.memory == State().memory
