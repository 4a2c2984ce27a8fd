"""What a tally adds up to, whatever happens; what it counts on a cluster is tested with the runtime."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import EVENTS, a_run

from trio_adaptive.journal.tally import LATENESS, Tally

seconds = st.floats(0, 1e6) | st.sampled_from(LATENESS)


@given(st.lists(seconds))
def test_every_value_is_in_one_class_and_bounds_belong_to_the_class_below(values):
    tally = Tally()
    for value in values:
        tally.late(value)
    spread = tally.summary.lateness
    assert sum(spread.counts) == len(values)
    assert spread.total == pytest.approx(sum(values))
    up_to = list(accumulate(spread.counts))
    assert up_to[:-1] == [sum(value <= bound for value in values) for bound in spread.bounds]


@given(st.integers(1, len(EVENTS)))
def test_every_event_and_every_decision_is_counted_once(number):
    _, entries, states = a_run(EVENTS[:number])
    tally = Tally()
    for entry, before, after in zip(entries, states, [*states[1:], None], strict=True):
        tally.add(entry.event, before, after or before, entry.record, 0.001)
    told = tally.summary
    assert sum(told.delay.counts) == number
    assert sum(told.decisions.values()) == sum(entry.record.decision is not None for entry in entries)
    assert sum(told.commands.values()) == sum(entry.record.command is not None for entry in entries)


def test_a_summary_stays_as_it_is():
    tally = Tally()
    before = tally.summary
    tally.late(1.0)
    assert sum(before.lateness.counts) == 0
    assert sum(tally.summary.lateness.counts) == 1
