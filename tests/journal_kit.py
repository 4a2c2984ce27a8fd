"""What tests share that read or write journals: runs of the decision as lines, and as values again."""

from __future__ import annotations

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.limits import Share, Window
from trio_adaptive.decision.model import (
    AddRequest,
    Finished,
    Load,
    Memory,
    Outcome,
    Sample,
    Sampled,
    SampleFailed,
    SetHold,
    SetLimits,
    SetPause,
    SetPolicy,
    SetRules,
    SetSchedule,
    SetShare,
    Stop,
    Suggested,
    Unit,
)
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.decision.targets.simple import Count
from trio_adaptive.journal.lines import Context, Entry, Header, decode, entry_line, header_line

NOON = 1_790_000_000.0


def through_a_journal(first, events, records):
    """The same entries, written and read again; that they are the same is checked."""
    header = Header(NOON, 0.0, first, "begin")
    assert decode(Context(), header_line(header)) == header
    before = after = Context(first.sample)
    for event, record in zip(events, records, strict=True):
        entry = Entry(NOON, event, record)
        read = decode(after, entry_line(before, entry))
        assert read == entry
        before, after = before.after(entry), after.after(read)
        yield read


def a_look(at, units, target, *, cause="interval", **load):
    return Sampled(
        Sample(at - 0.25, at, cause, tuple(units), Load(target, f"{target} are wanted", **load), 1)
    )


def idle(name, seconds, stored=0):
    return Unit(name, "registered", (name,), idle=seconds, stored=stored)


EVENTS = (
    a_look(1, [], 2, memory=Memory(0, 0, 0, 0), blocked=("1 task needs “GPU”",)),
    Finished(Outcome(1.5, "launch", ("adaptive-0", "adaptive-1"), "failed", 0.5, "quota exceeded")),
    a_look(2, [Unit("adaptive-0", "requested", ("adaptive-0",))], 2),
    SampleFailed(3, "the scheduler does not answer"),
    a_look(4, [idle("adaptive-0", 0.125), Unit("other", "registered", ("other",), ours=False)], 1),
    SetHold(5, 3, 60),
    AddRequest(5.5, 1),
    SetLimits(6, maximum=7),
    SetPause(6.5, "shrinking", paused=True, by="ann from 10.0.0.7"),
    SetHold(7, None),
    SetPause(7, "shrinking", paused=False),
    SetSchedule(7.5, (Window("0 8 * * * to 0 18 * * *, UTC", maximum=8),)),
    SetPolicy(7.75, "count", Count()),
    SetRules(7.77, Rules(wait_count=1, idle_timeout=0, breaker_failures=9), "breaker_failures is now 9"),
    SetShare(7.8, Share(5, "of 8")),
    a_look(8, [idle("adaptive-0", 4.125, stored=5), idle("b", 4.0), idle("c", 3.5)], 0),
    Suggested(8.5, 1, ("b", "c")),
    Suggested(8.6, 1, None, "too late"),
    Finished(Outcome(9, "drain", ("b",), "done", 0.5)),
    a_look(10, [idle("adaptive-0", 6.125), idle("c", 5.5)], 0, cause="wake-up"),
    Stop(11, "the test is over"),
)
"""One of each kind."""


def a_run(events=EVENTS, maximum=9.0):
    """The state before, and the entries with what was decided."""
    first = state = State(Rules(wait_count=1, idle_timeout=0), maximum=maximum, prefix="adaptive")
    entries, states = [], []
    for event in events:
        states.append(state)
        state, _, record = decide(state, event)
        entries.append(Entry(NOON + event.at, event, record))
    return first, entries, states


def lines_of(first, entries):
    """As `a_run` gives them, with a header before."""
    context = Context(first.sample)
    lines = [header_line(Header(NOON, 0.0, first, "begin"))]
    for entry in entries:
        lines.append(entry_line(context, entry))
        context = context.after(entry)
    return lines
