"""The files of a journal: appended to, rotated, bounded, one writer at a time."""

from __future__ import annotations

from collections import deque

import pytest
from journal_kit import a_look, a_run

from trio_adaptive.journal.files import PARTS, JournalFiles, parts
from trio_adaptive.journal.lines import Entry, Header
from trio_adaptive.journal.reading import Damage, read_journal, replay
from trio_adaptive.journal.writing import Item, Scribe


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def a_scribe(path, size=10**9, sync="never"):
    return Scribe(JournalFiles(path, size), "a-run", "a program", {}, sync)


def write(scribe, events):
    _, entries, states = a_run(events)
    for entry, state in zip(entries, states, strict=True):
        scribe.write(deque([Item(entry, state, 0, 0)]))
    return entries


def looks(n, first=0):
    return [a_look(first + i, [], i % 7) for i in range(n)]


def entries_in(path):
    return [line for line in read_journal(path) if isinstance(line, Entry)]


def test_all_files_together_stay_below_their_bound(path):
    size = 20_000
    scribe = a_scribe(path, size)
    written = write(scribe, looks(1000))
    sizes = [part.stat().st_size for part in parts(path)]
    assert len(sizes) == PARTS
    assert sum(sizes) <= size * 1.1  # a file is full when its last line has gone over
    kept = entries_in(path)
    assert kept == written[-len(kept) :]
    assert len(kept) > 50
    assert list(replay(read_journal(path))) == []
    scribe.end(None)


def test_each_file_can_be_read_without_the_others(path):
    scribe = a_scribe(path, 20_000)
    write(scribe, looks(1000))
    scribe.end(None)
    for part in parts(path):
        lines = list(read_journal(part))
        assert isinstance(lines[0], Header)
        assert not any(isinstance(line, Damage) for line in lines)


def test_a_bound_below_any_header_still_keeps_lines(path):
    scribe = a_scribe(path, 1)
    write(scribe, looks(100))
    scribe.end(None)
    assert len(parts(path)) == PARTS
    assert len(entries_in(path)) >= PARTS


def test_headers_come_again_within_a_file(path, monkeypatch):
    monkeypatch.setattr("trio_adaptive.journal.writing.FAR", 1000)
    scribe = a_scribe(path)
    write(scribe, looks(200))
    scribe.end(None)
    headers = [line for line in read_journal(path) if isinstance(line, Header)]
    assert [header.reason for header in headers] == ["begin"] + ["again"] * (len(headers) - 1)
    assert len(headers) > 3


def test_only_one_writes_at_a_time(path):
    first, second = JournalFiles(path, 1000), JournalFiles(path, 1000)
    first.open()
    with pytest.raises(OSError, match="written by another program"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_later_run_goes_on_behind_a_line_that_was_cut_off(path):
    scribe = a_scribe(path)
    before = write(scribe, looks(3))
    scribe.end(None)
    path.write_bytes(path.read_bytes()[:-10])
    again = a_scribe(path)
    after = write(again, looks(2))
    again.end(None)
    assert entries_in(path) == before[:-1] + after
    assert sum(isinstance(line, Damage) for line in read_journal(path)) == 1


def test_a_file_that_somebody_has_taken_away_is_begun_anew(path):
    scribe = a_scribe(path)
    write(scribe, looks(3))
    path.unlink()
    after = write(scribe, looks(2, first=3))
    scribe.end(None)
    assert entries_in(path) == after


@pytest.mark.parametrize(("sync", "calls"), [("never", 0), ("interval", 2), ("each", 100)])
def test_when_it_is_forced_to_the_disk(path, monkeypatch, sync, calls):
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    scribe = a_scribe(path, sync=sync)
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    write(scribe, looks(100))
    assert scribe.is_unsynced == (sync == "interval")
    scribe.flush()
    scribe.flush()
    assert len(synced) == calls
    scribe.end(None)
