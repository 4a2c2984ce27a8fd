"""Clocks that jump, and machines that are suspended: what is there stays, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client
from real_dask import Counting

sys.path.append(str(Path(__file__).parents[1] / "backends"))
from debian_packages import install, may_install, missing_packages

from trio_adaptive.decision.model import Cancel, Drain, Launch
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import Damage, read_journal, replay

pytestmark = [pytest.mark.integration, pytest.mark.gallery]

HOUR = 3600
GAP = 4.0
"""Longer than each of the timeouts below, in seconds."""

OPTIONS = """[adaptive]
interval = 0.2
call_timeout = 1.0
request_timeout = 2.0
startup_timeout = 3.0
stop_timeout = 2.0
idle_timeout = 1.0
"""
PATIENT = OPTIONS.replace("startup_timeout = 3.0", "startup_timeout = 60.0")


@pytest.fixture
def false_clock(tmp_path):
    """The environment of a process whose wall clock is wrong by what is written into a file, and a writer of that."""
    if missing_packages(["faketime"]) and may_install():
        install(["faketime"])
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        pytest.skip("libfaketime is missing: on Debian, the package faketime has it")
    file = tmp_path / "wrong by"

    def be_wrong_by(seconds):
        new = tmp_path / "wrong by, new"
        new.write_text(f"{seconds:+d}\n")
        new.rename(file)  # nobody reads half of it

    be_wrong_by(0)
    env = {
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return {**env, "LD_PRELOAD": str(libraries[0])}, be_wrong_by


@pytest.fixture
def up(service, tmp_path):
    """Starts a service with a journal, which is returned with it."""

    def start(options, *more, **env):
        config, journal = tmp_path / "options.toml", tmp_path / "journal.jsonl"
        config.write_text(options)
        files = ("--config", str(config), "--journal", str(journal))
        return service("up", *files, "--plain", "--no-dashboard", *more, **env), journal

    return start


WORKER = f"env -u LD_PRELOAD {sys.executable} -m distributed.cli.dask_worker {{address}} --name {{name}}"
OPTIONS_OF_WORKER = "--nthreads 1 --no-nanny --no-dashboard"


def entries(journal):
    lines = read_journal(journal) if journal.exists() else ()
    return [line for line in lines if isinstance(line, Entry)]


def units(journal, *kinds):
    """All units that something of these kinds was done to, in order."""
    decisions = [entry.record.decision for entry in entries(journal) if entry.record.decision]
    return [unit for d in decisions for a in d.actions if isinstance(a, kinds) for unit in a.units]


def is_whole(journal):
    lines = list(read_journal(journal))
    return not any(isinstance(line, Damage) for line in lines) and list(replay(lines)) == []


def looks(running, journal, n):
    """Wait for so many more looks."""
    enough = len(entries(journal)) + n
    running.until(lambda: len(entries(journal)) >= enough, f"{n} looks")


@contextmanager
def stopped(*pids):
    """These processes do not run, as long as the block lasts."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_wall_clock_that_jumps_by_hours_changes_nothing(up, service, false_clock, tmp_path):
    """That of the service: what Dask's own processes make of theirs is another matter."""
    env, be_wrong_by = false_clock
    counting = Counting(tmp_path)
    host = service("up", "--maximum", "0", "--plain", "--no-dashboard")
    attach = ("--scheduler", host.address(), "--take-over", "--minimum", "2", "--maximum", "2")
    with Client(host.address(), set_as_default=False) as client:
        running, journal = up(PATIENT, *attach, "--worker-command", f"{WORKER} {OPTIONS_OF_WORKER}", **env)
        client.wait_for_workers(2, timeout=60)
        futures = client.map(counting.task(), [f"t{n}" for n in range(100)], [0.1] * 100, pure=False)
        for wrong in (HOUR, -HOUR, 0):
            be_wrong_by(wrong)
            looks(running, journal, 5)
        assert len(client.gather(futures)) == 100
        looks(running, journal, 10)
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    running.assert_nothing_left()
    assert set(counting.executions.values()) == {1}
    assert len(units(journal, Launch)) == 2
    assert units(journal, Drain, Cancel) == []
    assert is_whole(journal)
    times = [entry.time for entry in entries(journal)]
    assert max(times) - min(times) > 1.9 * HOUR  # it has jumped


def test_a_machine_that_is_suspended_goes_on_where_it_was(up, tmp_path):
    counting = Counting(tmp_path)
    running, journal = up(PATIENT, "--minimum", "2", "--maximum", "2")
    with Client(running.address(), set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        futures = client.map(counting.task(), [f"t{n}" for n in range(60)], [0.1] * 60, pure=False)
        looks(running, journal, 2)
        for _ in range(2):
            with stopped(running.process.pid, *running.descendants()):
                time.sleep(GAP)
            looks(running, journal, 5)
        assert len(client.gather(futures)) == 60
    assert set(counting.executions.values()) == {1}
    assert len(units(journal, Launch)) == 2
    assert units(journal, Drain, Cancel) == []
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    assert is_whole(journal)


def test_a_service_that_is_suspended_while_workers_start_does_not_give_them_up(up, service):
    host = service("up", "--maximum", "0", "--plain", "--no-dashboard")
    attach = ("--scheduler", host.address(), "--take-over", "--cold", "--minimum", "2", "--maximum", "2")
    with Client(host.address(), set_as_default=False) as client:
        running, journal = up(OPTIONS, *attach)
        running.until(lambda: len(running.descendants()) >= 2, "two processes")
        with stopped(running.process.pid):
            client.wait_for_workers(2, timeout=60)
            time.sleep(GAP)
        looks(running, journal, 10)
        assert len(units(journal, Launch)) == 2
        assert units(journal, Drain, Cancel) == []
        assert len(client.scheduler_info()["workers"]) == 2
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    assert is_whole(journal)
