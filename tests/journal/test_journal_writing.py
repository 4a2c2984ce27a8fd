"""A journal is kept beside adapting, and never in its way: on the real clock, since a thread writes it."""

from __future__ import annotations

import logging
import os
import resource
from contextlib import asynccontextmanager

import anyio
import pytest
from journal_kit import a_look, a_run, idle

from trio_adaptive import adaptive
from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Stop
from trio_adaptive.journal import writing
from trio_adaptive.journal.lines import End, Entry, Header
from trio_adaptive.journal.reading import read_journal, replay
from trio_adaptive.journal.writing import open_journal
from trio_adaptive.testing import FakeCluster

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

LIMIT = 30.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


@pytest.fixture
def full_disk(path):
    """No file of this process grows beyond where it is: what a full disk does, with another number."""
    path.touch()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def until(condition):
    while not condition():
        await anyio.sleep(0.005)


@asynccontextmanager
async def keeping(path, told=None, **options):
    """A journal with its task, as long as the block lasts."""

    def tell(_level, message):
        if told is not None:
            told.append(message)

    settings = Settings(journal=str(path), **options)
    with anyio.fail_after(LIMIT), open_journal(settings, "a-run", tell) as journal:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            try:
                yield journal
            finally:
                journal.close("it was time")


def put(journal, n, first=0):
    _, entries, states = a_run([a_look(first + i, [], i % 7) for i in range(n)])
    for entry, state in zip(entries, states, strict=True):
        journal.put(entry.event, state, entry.record)
    return [entry.record for entry in entries]


def records(path):
    return [line.record for line in read_journal(path) if isinstance(line, Entry)]


async def test_a_scaler_keeps_its_journal_and_all_of_it_comes_out_the_same_again(path):
    cluster = FakeCluster(3, startup=0.02, drain_time=0.02)
    options = {"interval": 0.02, "wait_count": 1, "idle_timeout": 0, "journal": path}
    with anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options) as scaler:
            await scaler.wait_for(3)
            cluster.want(1)
            await until(lambda: len(cluster.ids()) == 1)
            scaler.set_limits(maximum=5)
            assert scaler.statistics().journal == ""
        kept = scaler.history
    lines = list(read_journal(path))
    assert records(path) == kept
    assert {record.kind for record in kept} == {"sample", "suggestion", "outcome", "command"}
    assert list(replay(lines)) == []
    assert isinstance(lines[0], Header)
    assert lines[0].settings["interval"] == 0.02
    assert isinstance(lines[-1], End)
    assert isinstance(kept[-1].command, Stop)


async def test_without_a_file_there_is_none(tmp_path):
    with anyio.fail_after(LIMIT):
        async with adaptive(FakeCluster(1)) as scaler:
            await scaler.wait_for(1)
    assert list(tmp_path.iterdir()) == []


async def test_a_scaler_that_is_cancelled_has_written_all_of_it(path):
    with anyio.move_on_after(LIMIT) as scope:
        async with adaptive(FakeCluster(2), interval=0.02, journal=path) as scaler:
            await scaler.wait_for(2)
            scope.cancel()
            await anyio.sleep_forever()
    assert records(path) == scaler.history
    assert isinstance(list(read_journal(path))[-1], End)


async def test_where_it_cannot_be_written_adapting_goes_on_and_it_is_visible(tmp_path, caplog):
    missing = tmp_path / "not there yet" / "journal.jsonl"
    with caplog.at_level(logging.INFO, "trio_adaptive"), anyio.fail_after(LIMIT):
        async with adaptive(FakeCluster(2), interval=0.02, journal=missing) as scaler:
            await scaler.wait_for(2)
            await until(lambda: "No such file" in scaler.statistics().journal)
    told = [message for message in caplog.messages if "journal" in message]
    assert len(told) == 1
    assert "adapting goes on" in told[0]


async def test_it_goes_on_when_the_disk_has_room_again(path, full_disk, monkeypatch):
    monkeypatch.setattr(writing, "RETRY", 0.05)
    told = []
    async with keeping(path, told) as journal:
        first = put(journal, 10)
        await until(lambda: path.stat().st_size and len(records(path)) == 10)
        full_disk()
        second = put(journal, 10, first=10)
        await until(lambda: "too large" in journal.trouble)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: not journal.trouble)
    assert records(path) == first + second
    assert journal.lost == 0
    assert [line.reason for line in read_journal(path) if isinstance(line, Header)] == ["begin", "resumed"]
    assert len(told) == 2
    assert "written again; 0 records are missing" in told[1]


async def test_what_there_is_no_room_for_is_left_out_and_counted(path, monkeypatch):
    monkeypatch.setattr(writing, "ROOM", 10)
    async with keeping(path) as journal:
        kept = put(journal, 15)[:10]
        assert journal.lost == 5
        assert "too slowly" in journal.trouble
        await until(lambda: not journal.trouble)
        kept += put(journal, 1, first=20)
    assert records(path) == kept
    lost = [line.lost for line in read_journal(path) if isinstance(line, Header)]
    assert lost == [0, 5]
    assert list(replay(read_journal(path))) == []


async def test_looks_at_many_units_fill_it_sooner(path, monkeypatch):
    monkeypatch.setattr(writing, "ROOM_UNITS", 5)
    units = [f"u{i}" for i in range(3)]
    _, (first, second), states = a_run([a_look(at, [idle(name, at) for name in units], 3) for at in (1, 2)])
    async with keeping(path) as journal:
        journal.put(first.event, states[0], first.record)
        journal.put(second.event, states[1], second.record)
        assert journal.lost == 1
        await until(lambda: journal._units == 0)
        journal.put(second.event, states[1], second.record)
        assert journal.lost == 1
    assert records(path) == [first.record, second.record]


async def test_a_disk_that_hangs_neither_holds_up_the_scaler_nor_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "GRACE", 0.2)
    pipe = tmp_path / "journal.jsonl"
    os.mkfifo(pipe)  # opening it for writing waits for somebody who reads
    told = []
    try:
        async with keeping(pipe, told) as journal:
            put(journal, 3)
            await until(lambda: journal._thread.borrowed_tokens == 1)
        assert told == [f"The end of the journal is missing: {pipe} did not take it within 0.2 s"]
    finally:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with anyio.fail_after(LIMIT):
            await until(lambda: journal._thread.borrowed_tokens == 0)
        os.close(reader)
    assert not journal.scribe.files.is_open


async def test_the_last_word_is_why_it_ended(path):
    async with keeping(path) as journal:
        put(journal, 1)
    end = list(read_journal(path))[-1]
    assert isinstance(end, End)
    assert end.reason == "it was time"
