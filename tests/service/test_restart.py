"""A service that was killed by SIGKILL and is started again: what is there is taken over, and nothing is there twice."""

from __future__ import annotations

import shlex
import signal
import sys

import pytest
from distributed import Client

from trio_adaptive.decision.model import Launch
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import read_journal, replay

pytestmark = [pytest.mark.integration, pytest.mark.gallery]

PLAIN = ("--plain", "--no-dashboard")

WORKER = f"{sys.executable} -m distributed.cli.dask_worker $0 --name $1 --nthreads 1 --no-nanny --no-dashboard & wait"
OUTLIVING = shlex.join(["sh", "-c", WORKER, "{address}", "{name}"])
"""The worker is a grandchild of the service, which nobody tells of its end: as over ssh, or in a batch job."""


@pytest.fixture
def address(service):
    host = service("up", "--maximum", "0", *PLAIN)
    return host.address()


def kill(running):
    running.process.send_signal(signal.SIGKILL)
    running.wait()


def names(client):
    return {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}


def records(path):
    lines = read_journal(path) if path.exists() else ()
    return [line.record for line in lines if isinstance(line, Entry)]


def launches(path):
    decisions = [record.decision for record in records(path) if record.decision is not None]
    return [action for decision in decisions for action in decision.actions if isinstance(action, Launch)]


def test_workers_that_have_outlived_it_are_taken_over_and_given_back(service, address, tmp_path):
    path = tmp_path / "journal.jsonl"
    options = ("--scheduler", address, "--name", "blue", "--maximum", "2", *PLAIN)
    first = service("up", *options, "--take-over", "--minimum", "2", "--worker-command", OUTLIVING)
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        before = names(client)
        kill(first)
        second = service("up", *options, "--minimum", "2", "--journal", str(path), "--interval", "0.1")
        second.address()
        second.until(lambda: len(records(path)) > 20, "twenty looks")
        assert names(client) == before
        assert client.gather(client.map(abs, range(-9, 1))) == list(range(9, -1, -1))
        second.process.send_signal(signal.SIGTERM)  # they are its own, and leave with it
        assert second.wait() == 0
        assert launches(path) == []
        second.until(lambda: not names(client), "the end of the workers")
    first.assert_nothing_left()
    second.assert_nothing_left()


def test_workers_of_another_name_are_counted_and_left_alone(service, address, tmp_path):
    path = tmp_path / "journal.jsonl"
    options = ("--scheduler", address, "--maximum", "2", *PLAIN)
    first = service(
        "up", *options, "--take-over", "--name", "blue", "--minimum", "2", "--worker-command", OUTLIVING
    )
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        before = names(client)
        kill(first)
        second = service("up", *options, "--name", "green", "--journal", str(path), "--interval", "0.1")
        second.address()
        assert client.gather(client.map(abs, range(-9, 1))) == list(range(9, -1, -1))
        second.until(lambda: len(records(path)) > 20, "twenty looks")
        second.process.send_signal(signal.SIGTERM)
        assert second.wait() == 0
        assert launches(path) == []
        assert names(client) == before


def test_one_that_is_killed_in_the_middle_of_the_work_is_followed_by_another_that_ends_it(
    service, address, tmp_path
):
    path = tmp_path / "journal.jsonl"
    options = ("--scheduler", address, "--name", "blue", "--maximum", "2", "--journal", str(path), *PLAIN)
    with Client(address, set_as_default=False) as client:
        futures = client.map(pow, range(200), [2] * 200, pure=False)
        for number in range(3):
            running = service("up", *options, *(() if number else ("--take-over",)))
            running.address()
            client.wait_for_workers(1, timeout=60)
            if number < 2:
                kill(running)
                running.assert_nothing_left()
        assert client.gather(futures) == [number**2 for number in range(200)]
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    assert max(record.counts.plan for record in records(path)) <= 2
    assert list(replay(read_journal(path))) == []
