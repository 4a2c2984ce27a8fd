"""A journal is read whatever has become of it: one that was cut off anywhere, or holds anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import NOON, a_look, a_run, lines_of

from trio_adaptive.journal.lines import End, Entry, Header, end_line
from trio_adaptive.journal.reading import Damage, read_journal, read_lines, replay

FIRST, ENTRIES, _ = a_run()
LINES = lines_of(FIRST, ENTRIES)
WHOLE = b"".join(LINES)


def read(content):
    return list(read_lines(content.splitlines(keepends=True)))


def entries(lines):
    return [line for line in lines if isinstance(line, Entry)]


def damages(lines):
    return [line for line in lines if isinstance(line, Damage)]


def test_all_of_it_is_read_and_comes_out_the_same_again():
    lines = read(WHOLE + end_line(End(NOON, "it was time")))
    assert entries(lines) == ENTRIES
    assert lines[-1] == End(NOON, "it was time")
    assert not damages(lines)
    assert list(replay(lines)) == []


def test_cut_off_at_any_byte_it_loses_at_most_the_last_record_and_says_so():
    written = 0
    ends = []
    for line in LINES:
        written += len(line)
        ends.append(written)
    for cut in range(len(WHOLE)):
        whole = sum(end <= cut for end in ends)
        lines = read(WHOLE[:cut])
        complete = cut + 1 in ends  # only the line break is missing
        assert entries(lines) == ENTRIES[: max(0, whole + complete - 1)]
        partial = cut not in (0, *ends) and not complete
        assert [damage.line for damage in damages(lines)] == ([whole + 1] if partial else [])
        assert all("cut off" in damage.problem for damage in damages(lines))


def test_what_a_later_run_has_added_after_a_line_that_was_cut_off_is_whole():
    lines = read(WHOLE[:-5] + b"\n" + WHOLE)
    assert entries(lines) == ENTRIES[:-1] + ENTRIES
    assert [damage.line for damage in damages(lines)] == [len(LINES)]
    assert list(replay(lines)) == []


@pytest.mark.parametrize("line", LINES)
def test_a_byte_more_in_any_line_costs_that_line_at_most(line):
    for place in range(len(line)):
        assert len(read(line[:place] + b" " + line[place:])) == 1


@given(data=st.data())
def test_garbage_anywhere_costs_the_lines_up_to_the_next_header_and_no_more(data):
    place = data.draw(st.integers(0, len(WHOLE)))
    garbage = data.draw(st.binary(min_size=1, max_size=40))
    taken = data.draw(st.integers(0, 40))
    before = WHOLE[:place].count(b"\n")
    lines = read(WHOLE[:place] + garbage + WHOLE[place + taken :] + b"\n" + WHOLE)
    assert entries(lines)[: max(0, before - 1)] == ENTRIES[: max(0, before - 1)]
    assert entries(lines)[-len(ENTRIES) :] == ENTRIES


@given(content=st.binary(max_size=300))
def test_anything_at_all_is_read_without_a_traceback(content):
    lines = read(content)
    assert all(isinstance(line, Damage) for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b"[" * 5000,
        b'{"time":"2026-01-01T00:00:00+00:00"}',
        b'{"journal":1,"time":"2026-01-01T00:00:00+00:00"}',
        b'{"journal":1,"time":"2026-01-01T00:00:00+00:00","at":0,"reason":"begin","state":{"flights":3}}',
        b'{"journal":1,"time":"yesterday"}',
        b'{"at":1,"sample":{"begun":0,"cause":"interval","units":{"idle":{"99":1}}},"time":"2026-01-01T00:00:00+00:00"}',
        b'{"at":1e999,"event":{"do":"Nothing"},"time":"2026-01-01T00:00:00+00:00"}',
        b'{"at":' + b"9" * 5000 + b"}",
        b"\x00" * 4096,
    ],
)
def test_a_line_of_another_kind_is_told_of_with_those_that_build_upon_it(line):
    lines = read(LINES[0] + LINES[1] + line + b"\n" + LINES[2] + LINES[3])
    assert entries(lines) == ENTRIES[:1]
    (damage,) = damages(lines)
    assert (damage.line, damage.lines) == (3, 3)
    assert "line 3 (and 2 more that build upon it)" in str(damage)


def test_a_record_that_would_come_out_otherwise_is_told():
    lines = read(WHOLE.replace(b'"raw":2', b'"raw":3', 1))
    (difference,) = replay(lines)
    assert (difference.recorded.record.decision.raw, difference.again.record.decision.raw) == (3, 2)


def test_older_files_come_first(tmp_path):
    path = tmp_path / "journal.jsonl"
    for number, name in enumerate(["journal.jsonl.2", "journal.jsonl.1", "journal.jsonl"]):
        _, run, _ = a_run([a_look(number, [], number)])
        (tmp_path / name).write_bytes(b"".join(lines_of(FIRST, run)))
    lines = list(read_journal(path))
    assert [line.record.at for line in entries(lines)] == [0, 1, 2]
    assert sum(isinstance(line, Header) for line in lines) == 3


def test_where_there_is_none_it_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_journal(tmp_path / "none.jsonl"))
