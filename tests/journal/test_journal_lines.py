"""Entries become lines and the same entries again."""

from __future__ import annotations

import json
import math
import random
from typing import get_args

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import EVENTS, NOON, a_look, a_run, idle, lines_of, through_a_journal

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    Counts,
    Decision,
    Event,
    Load,
    Sample,
    Sampled,
    TaskClass,
    TaskGroup,
    Unit,
    UnitState,
    Work,
)
from trio_adaptive.decision.policy import Advice
from trio_adaptive.decision.state import State
from trio_adaptive.decision.targets.simple import Fixed
from trio_adaptive.journal.deltas import apply_changes, changes
from trio_adaptive.journal.lines import (
    CONVERTER,
    POLICIES,
    Context,
    Entry,
    ForeignPolicy,
    Header,
    Said,
    decode,
    entry_line,
    header_line,
)
from trio_adaptive.journal.reading import read_lines, replay

SECONDS = st.floats(0, 1e6)
UNITS = st.builds(
    Unit,
    st.sampled_from("abcdefg"),
    st.sampled_from(get_args(UnitState)),
    st.lists(st.sampled_from(["w", "wörker\n", ""]), max_size=2).map(tuple),
    executing=st.integers(0, 3),
    ours=st.booleans(),
    detail=st.text(max_size=5),
    idle=st.none() | SECONDS,
    stored=st.integers(0, 2**62),
)
CLASSES = st.builds(TaskClass, st.text(max_size=3), st.just({"GPU": 1.0}), *[st.just(1)] * 5, SECONDS)
GROUPS = st.builds(
    TaskGroup,
    st.sampled_from("abcd"),
    *[st.integers(0, 3)] * 3,
    after=st.just(()) | st.just(("z",)),
    mean=SECONDS,
    elapsed=st.lists(SECONDS, max_size=3).map(tuple),
)
WORKS = st.builds(
    Work,
    *[st.integers(0, 3)] * 6,
    SECONDS,
    classes=st.lists(CLASSES, max_size=1).map(tuple),
    groups=st.lists(GROUPS, max_size=4).map(tuple),
)
LOADS = st.builds(
    Load,
    st.integers(0, 9),
    st.text(max_size=9),
    st.none() | st.integers(0, 9),
    work=st.none() | WORKS,
)
SAMPLES = st.builds(
    Sample,
    SECONDS,
    SECONDS,
    st.sampled_from(["interval", "wake-up"]),
    st.lists(UNITS, max_size=6, unique_by=lambda unit: unit.id).map(tuple),
    LOADS,
    st.none() | st.integers(1, 4),
)


@given(before=st.none() | SAMPLES, now=SAMPLES)
def test_the_changes_of_a_look_give_it_back_to_the_last_bit(before, now):
    line = json.loads(json.dumps(changes(before, now, CONVERTER)))
    assert apply_changes(before, now.at, line, CONVERTER) == now


@given(classes=st.lists(CLASSES, max_size=2).map(tuple))
def test_classes_of_tasks_are_values_again(classes):
    assert (
        CONVERTER.structure(CONVERTER.unstructure(classes, tuple[TaskClass, ...]), tuple[TaskClass, ...])
        == classes
    )


def test_every_kind_of_event_is_the_same_again():
    first, entries, _ = a_run()
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    again = list(through_a_journal(first, [e.event for e in entries], [e.record for e in entries]))
    assert [entry.event for entry in again] == list(EVENTS)


def test_what_is_no_look_is_any_other_event():
    assert set(get_args(Said)) == set(get_args(Event)) - {Sampled}


def look_of_many(at, clock):
    dice = random.Random(0)
    since = [dice.uniform(0, 100) for _ in range(1000)]
    return a_look(at, [idle(f"adaptive-{i}", clock - begun) for i, begun in enumerate(since)], 1000)


def test_a_look_at_a_thousand_idle_units_is_a_short_line_when_nothing_has_changed():
    first, entries, _ = a_run([look_of_many(1.0, 86_400.123), look_of_many(2.001, 86_401.124)], 2000)
    header, whole, quiet = lines_of(first, entries)
    assert len(header) < 600
    assert len(whole) > 50_000
    assert len(quiet) < 250


def test_a_header_holds_all_of_the_state():
    _, entries, states = a_run()
    for entry, state in zip(entries, states, strict=True):
        header = Header(NOON, 1.0, state, "again", "run", "program", {"maximum": 3}, 2)
        assert decode(Context(), header_line(header)) == header
        assert decide(state, entry.event)[2] == entry.record


def test_lines_are_strict_json_though_limits_may_be_infinite():
    line = header_line(Header(NOON, 0.0, State(maximum=math.inf), "begin"))
    content = json.loads(line, parse_constant=pytest.fail)
    assert decode(Context(), line).state.retry_at == -math.inf
    assert content["time"] == "2026-09-21T14:13:20.000+00:00"


def test_another_format_is_refused():
    line = header_line(Header(NOON, 0.0, State(), "begin")).replace(b'"journal":2', b'"journal":3')
    with pytest.raises(ValueError, match="format 3 of another version"):
        decode(Context(), line)


def test_what_a_later_version_has_added_is_passed_over():
    first, entries, _ = a_run()
    for line, entry in zip(lines_of(first, entries)[1:3], entries, strict=False):
        more = json.dumps({**json.loads(line), "colour": "green"}).encode()
        assert decode(Context(), more) == entry


def test_a_decision_is_written_only_where_it_is_another_one():
    first, entries, _ = a_run([a_look(1, [], 0), a_look(2, [], 0), a_look(3, [], 1)])
    assert [b'"record"' in line for line in lines_of(first, entries)[1:]] == [True, False, True]


@given(
    kind=st.sampled_from(["sample", "sample failed"]),
    error=st.sampled_from(["", "no answer"]),
    load=st.sampled_from([Load(0), Load(3, "another one")]),
    number=st.integers(0, len(EVENTS) - 1),
)
def test_a_record_that_does_not_follow_from_its_event_is_the_same_again(kind, error, load, number):
    first, entries, _ = a_run()
    decision = Decision(7.0, 1, 2, 3, load=load)
    entry = entries[number]
    odd = evolve(entry.record, kind=kind, error=error, decision=decision, counts=Counts(1), command=None)
    records = [odd if each is entry else each.record for each in entries]
    assert [each.record for each in through_a_journal(first, EVENTS, records)] == records


@frozen
class Own:
    """A policy of a user's own."""

    def advise(self, view):
        return self, Advice(3, "always three")


def test_a_policy_of_ones_own_is_known_by_its_name_and_passed_over_when_it_is_decided_again():
    state = State(policy=Own())
    event = a_look(1, [], 9)
    _, _, record = decide(state, event)
    assert record.decision.raw == 3
    lines = [
        header_line(Header(NOON, 0.0, state, "begin")),
        entry_line(Context(), Entry(NOON, event, record)),
    ]
    header, entry = read_lines(lines)
    assert isinstance(header.state.policy, ForeignPolicy)
    assert header.state.policy.name.endswith(":Own")
    assert entry.record == record
    assert list(replay([header, entry])) == []


@pytest.mark.parametrize("policy", POLICIES.values())
def test_every_policy_of_ours_is_the_same_again(policy):
    state = State(policy=policy(3) if policy is Fixed else policy())
    header = Header(NOON, 1.0, state, "again")
    assert decode(Context(), header_line(header)) == header
