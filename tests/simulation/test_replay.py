"""A recorded run once more: the same decisions again, and what other settings would have done."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import NOON, a_look, a_run, idle, lines_of

from trio_adaptive.cli import main
from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import SetHold, SetLimits, SetPolicy
from trio_adaptive.decision.state import Rules, Shadow
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.decision.targets.simple import Count, Fixed
from trio_adaptive.journal.lines import Context, Entry, Header, entry_line, header_line
from trio_adaptive.journal.reading import read_lines
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.replay.changes import changed
from trio_adaptive.simulation.replay.otherwise import Otherwise
from trio_adaptive.simulation.replay.proof import Proof, prove
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.generated import generate

SETUP = Setup(named_policy("demand"), Hardware(startup=20), maximum=16, skip=False)


@functools.cache
def recorded(family="trickle", policy="demand"):
    """The lines of a simulated run, and the run."""
    events, states, records = [], [], []

    def watch(event, before, record):
        events.append(event)
        states.append(before)
        records.append(record)

    run = simulate(generate(family, 1), evolve(SETUP, policy=named_policy(policy)), watch)
    entries = [Entry(NOON + e.at, e, r) for e, r in zip(events, records, strict=True)]
    return lines_of(states[0], entries), run


def replayed(lines, **changes):
    proof, otherwise = Proof(), Otherwise(lambda state: changed(state, changes))
    for each in prove(read_lines(lines), proof):
        otherwise.add(each)
    return proof, otherwise


@pytest.mark.parametrize("policy", ["demand", "adaptive", "dask"])
def test_a_recorded_run_comes_out_again_and_has_cost_what_it_has(policy):
    lines, run = recorded("trickle", policy)
    proof, otherwise = replayed(lines)
    assert (proof.differences, proof.damages, proof.headers, proof.runs) == ([], [], 0, 1)
    assert proof.events == len(lines) - 1
    assert otherwise.first is None
    assert otherwise.in_fact == otherwise.otherwise
    assert otherwise.in_fact.cost == pytest.approx(run.account.cost, rel=0.02)
    assert otherwise.in_fact.waiting == pytest.approx(run.waited, rel=0.1)


@pytest.mark.parametrize(
    ("changes", "setup"),
    [
        ({"idle_timeout": 120.0}, evolve(SETUP, rules=Rules(idle_timeout=120.0))),
        ({"maximum": 2}, evolve(SETUP, maximum=2)),
        ({"minimum": 3}, evolve(SETUP, minimum=3)),
        ({"policy": "count"}, evolve(SETUP, policy=Count())),
        ({"target_duration": 60.0}, evolve(SETUP, target_duration=60.0)),
    ],
)
def test_what_would_have_been_is_near_to_a_run_with_those_settings(changes, setup):
    lines, run = recorded()
    _, otherwise = replayed(lines, **changes)
    alone = simulate(generate("trickle", 1), setup)
    assert otherwise.first is not None
    assert otherwise.otherwise.cost == pytest.approx(alone.account.cost, rel=0.15)
    most = max(alone.waited, run.waited)
    assert otherwise.otherwise.waiting == pytest.approx(alone.waited, abs=0.25 * most)


def test_the_first_difference_is_told_with_both_decisions():
    lines, _ = recorded()
    _, otherwise = replayed(lines, maximum=1)
    first = otherwise.first
    assert first.otherwise.final == 1 < first.recorded.final
    assert [reason.limiter for reason in first.otherwise.reasons] == ["maximum"]
    assert first.recorded.at == first.otherwise.at == first.time - NOON


LOOKS = st.builds(
    lambda at, names, target, cause: a_look(at, [idle(n, 1.0) for n in names], target, cause=cause),
    st.just(0.0),
    st.lists(st.sampled_from("abcd"), unique=True),
    st.integers(0, 9),
    st.sampled_from(["interval", "wake-up"]),
)


@given(
    looks=st.lists(LOOKS, min_size=1, max_size=12),
    size=st.integers(0, 5),
    after=st.integers(0, 12),
    shadows=st.lists(st.sampled_from(["count", "dask"]), unique=True),
)
def test_whatever_was_seen_and_said_comes_out_again(looks, size, after, shadows):
    events = [
        evolve(look, sample=evolve(look.sample, begun=float(at), at=float(at)))
        for at, look in enumerate(looks)
    ]
    said = [
        SetHold(float(after), size),
        SetPolicy(float(after), "count", Count()),
        SetLimits(float(after), 1, 7),
    ]
    events = [*events[:after], *said, *[e for e in events[after:] if e.at >= after]]
    first, _, _ = a_run([])
    state = first = evolve(first, shadows=tuple(Shadow(name, named_policy(name)) for name in shadows))
    entries, context, lines = [], Context(), [header_line(Header(NOON, 0.0, first, "begin"))]
    for number, event in enumerate(events):
        if number == 4:  # a second header in the middle changes nothing
            lines.append(header_line(Header(NOON + event.at, event.at, state, "again")))
            context = Context(state.sample)
        state, _, record = decide(state, event)
        entries.append(Entry(NOON + event.at, event, record))
        lines.append(entry_line(context, entries[-1]))
        context = context.after(entries[-1])
    proof, otherwise = replayed(lines)
    assert (proof.differences, proof.damages, proof.headers) == ([], [], 0)
    assert proof.events == len(events)
    assert otherwise.first is None


def test_policies_that_are_not_here_are_passed_over():
    class Own(Fixed):
        """Of a user's own."""

    first, entries, _ = a_run([a_look(at, [], at % 3) for at in range(5)])
    lines = lines_of(evolve(first, policy=Own(1), policy_name="mine:Own"), entries)
    proof, _ = replayed(lines)
    assert (proof.events, proof.foreign) == (0, {"mine:Own"})
    state = evolve(first, shadows=(Shadow("mine:Own", Own(1)), Shadow("count", Count())))
    records, before = [], state
    for entry in entries:
        state, _, record = decide(state, entry.event)
        records.append(Entry(entry.time, entry.event, record))
    proof, _ = replayed(lines_of(before, records))
    assert (proof.events, proof.foreign, proof.differences) == (5, {"mine:Own"}, [])


# The command


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(recorded()[0]))
    return path


def test_it_says_that_all_came_out_again(journal, capsys):
    assert main(["replay", str(journal)]) == 0
    out = capsys.readouterr().out
    assert "1 run, " in out
    assert out.endswith("every decision came out again\n")


def test_it_shows_what_would_have_been(journal, capsys):
    assert main(["replay", str(journal), "--set", "maximum=1", "--set", "wait-count=3"]) == 0
    out = capsys.readouterr().out
    assert "with maximum=1, wait_count=3:" in out
    assert "maximum 1: 2 becomes 1" in out
    recorded_row, other_row = re.findall(r"^  (?:recorded|would be) +(\d+) +(\d+)$", out, re.MULTILINE)
    assert int(other_row[1]) > int(recorded_row[1])
    assert main(["replay", str(journal), "--set", "maximum=16"]) == 0
    assert "every decision would have been the same" in capsys.readouterr().out


def test_a_decision_that_does_not_come_out_again_is_named(journal, capsys):
    lines = journal.read_bytes().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if b'"Launch"' in line)
    content = json.loads(lines[place])
    content["record"]["decision"]["final"] += 1
    lines[place] = json.dumps(content).encode() + b"\n"
    journal.write_bytes(b"".join(lines))
    assert main(["replay", str(journal)]) == 1
    out = capsys.readouterr().out
    assert "1 record came out otherwise" in out
    assert out.count("  recorded: wanted") == out.count("  again:    wanted") == 1


def test_what_is_cut_off_is_told_in_one_line(journal, capsys):
    journal.write_bytes(journal.read_bytes()[:-20])
    assert main(["replay", str(journal)]) == 1
    told = capsys.readouterr()
    assert "every decision came out again" in told.out
    assert len(told.err.splitlines()) == 1
    assert "cut off" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-file"], "there is no no-such-file"),
        (["{folder}"], "Is a directory"),
        (["{empty}"], "has no decision that could be made again"),
        (["{newer}"], "format 99 of another version"),
        (["{journal}", "--set", "idle_timeout"], "--set: is 'idle_timeout'"),
        (["{journal}", "--set", "interval=2"], "--set: is 'interval=2'"),
        (["{journal}", "--set", "maximum=many"], "maximum: is 'many'"),
        (["{journal}", "--set", "minimum=99"], "minimum is 99, but maximum is 16"),
        (["{journal}", "--set", "policy=dusk"], "policy: is 'dusk'"),
        (["{journal}", "--set", "policy=no.such:Policy"], "cannot be made"),
    ],
)
def test_mistakes_are_told(journal, tmp_path, arguments, said, capsys):
    (tmp_path / "empty.jsonl").write_text("")
    newer = journal.read_bytes().replace(b'"journal":', b'"journal":99,"was":', 1)
    (tmp_path / "newer.jsonl").write_bytes(newer)
    names = {"journal": journal, "folder": tmp_path, "empty": tmp_path / "empty.jsonl"}
    given = [each.format(newer=tmp_path / "newer.jsonl", **names) for each in arguments]
    assert main(["replay", *given]) == 2
    assert said in capsys.readouterr().err


JOB = """
import time
from dask.distributed import Client
with Client() as client:
    for burst in range(2):
        client.gather(client.map(lambda i: time.sleep(0.2), range(burst * 10, burst * 10 + 10)))
        time.sleep(1.5)
"""


@pytest.mark.integration
def test_the_journal_of_a_real_run(tmp_path):
    path = tmp_path / "journal.jsonl"
    cli = [sys.executable, "-m", "trio_adaptive"]
    (tmp_path / "job.py").write_text(JOB)
    run = [
        "run",
        "--maximum",
        "2",
        "--target-duration",
        "500ms",
        "--shadow",
        "adaptive,dask",
        "--journal",
        str(path),
        "--no-dashboard",
        "--",
    ]
    script = [sys.executable, str(tmp_path / "job.py")]
    done = subprocess.run([*cli, *run, *script], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with path.open("rb") as stream:
        proof, otherwise = replayed(stream, maximum=1)
    assert (proof.differences, proof.damages, proof.headers) == ([], [], 0)
    assert proof.decisions > 10
    assert otherwise.first is not None
    assert otherwise.known == otherwise.looks
    assert 0 < otherwise.otherwise.cost < otherwise.in_fact.cost
    assert otherwise.otherwise.waiting > 0
