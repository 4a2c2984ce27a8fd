"""Half an hour of work, limits, faults and restarts by chance: each result comes, and nothing grows.

``nox -s soak`` runs it; ``TRIO_ADAPTIVE_SOAK`` is for how many seconds, ``TRIO_ADAPTIVE_SOAK_SEED`` repeats one. With
``TRIO_ADAPTIVE_SOAK_WRITE=1`` what has happened is written into docs/explanation/reliability.md.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from figures import write_figures
from leftovers import descriptors
from real_dask import a_client
from soak_town import Gauge, Trouble, User
from tcp_proxy import a_proxy

sys.path.append(str(Path(__file__).parents[1] / "dask"))
from bad_calls import WORKER
from soak_kit import MOST, Operator, Watcher

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import Damage, read_journal, replay

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("TRIO_ADAPTIVE_SOAK", "120"))
SEED = os.environ.get("TRIO_ADAPTIVE_SOAK_SEED") or secrets.token_hex(4)
WRITE = os.environ.get("TRIO_ADAPTIVE_SOAK_WRITE") == "1"
LAST_WORD = 120.0
"""Seconds within which all that is asked for is done when the faults have ended."""
POOL = 3 * 2 * MOST
"""Sockets that may be kept for further calls: for two of each worker at the same moment, with both ends of the proxy."""
SETTLE = 3.0
"""Seconds within which connections of processes that have ended are closed at both ends."""

STORMY = {
    "interval": 0.1,
    "wait_count": 1,
    "idle_timeout": 0.2,
    "target_duration": 0.5,
    "call_timeout": 1,
    "request_timeout": 2,
    "drain_timeout": 10,
    "stop_timeout": 2,
    "startup_timeout": 20,
    "retry_delay": 0.1,
    "retry_delay_max": 2,
}
SCHEDULER = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1000000",  # whoever kills workers at random means no task
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s",
}


@pytest.fixture
def anyio_backend():
    return "trio"


async def follow(scaler, watcher) -> None:
    async for record in scaler.records():
        watcher.see(record)


@asynccontextmanager
async def background(*functions):
    async with anyio.create_task_group() as tasks:
        for function in functions:
            tasks.start_soon(function)
        yield
        tasks.cancel_scope.cancel()


async def lifetimes(chance, cluster, journal, watchers, end) -> int:
    """One after the other, each for some seconds, until the time is over; the last one goes on until the end."""
    number = 0
    while True:
        number += 1
        options = {**STORMY, "journal": journal, "journal_size": "20 MiB", "shutdown_timeout": 1}
        async with adaptive(cluster, minimum=0, maximum=MOST, **options) as scaler:
            watchers.append(Watcher(0, MOST))
            operator = Operator(chance, scaler, 2.0)
            async with background(partial(follow, scaler, watchers[-1]), operator.run):
                if anyio.current_time() > end:
                    break
                await anyio.sleep(min(chance.uniform(5, 60), end + 1 - anyio.current_time()))
    return number


@asynccontextmanager
async def a_town(folder):
    """A cluster that reaches its scheduler through a proxy, a client that does not need it, and one with bad ideas."""
    next_start = folder / "next start"
    command = ("sh", "-c", WORKER, str(next_start), *worker_command())
    async with (
        embedded_scheduler(dashboard_address=None, env=os.environ | SCHEDULER) as scheduler,
        a_proxy(int(scheduler.address.rsplit(":", 1)[1])) as proxy,
        command_cluster(f"tcp://127.0.0.1:{proxy.port}", WorkerTemplate(command)) as cluster,
        a_client(scheduler.address) as client,
    ):
        yield cluster, client, Trouble(random.Random(SEED), cluster, scheduler.process.pid, proxy, next_start)


async def files_when_empty(cluster) -> tuple[int, int]:
    """Open sockets and other files when one worker has come and everybody has gone, however many there were at work."""
    with anyio.fail_after(LAST_WORD):
        async with adaptive(cluster, minimum=1, maximum=1, **STORMY, on_exit="close") as scaler:
            await scaler.wait_for(1)
        while cluster.pids:
            await anyio.sleep(0.1)
    await anyio.sleep(SETTLE)
    files = [*descriptors().values()]
    sockets = sum(file.startswith("socket:") for file in files)
    return sockets, len(files) - sockets


async def live_through(town, journal, gauge, watchers) -> tuple[int, int]:
    """Work and faults for the time, then until all is done; how many lifetimes and tasks there were."""
    cluster, client, trouble = town
    users = [User(random.Random(f"{SEED} {n}"), client) for n in range(3)]
    end = anyio.current_time() + SECONDS
    async with background(gauge.run), anyio.create_task_group() as tasks:
        for user in users:
            tasks.start_soon(user.run)
        async with background(trouble.run):
            lives = await lifetimes(random.Random(f"{SEED} limits"), cluster, journal, watchers, end)
        for user in users:
            user.enough = True
        async with adaptive(cluster, minimum=1, maximum=MOST, **STORMY):
            with anyio.fail_after(LAST_WORD):
                while not all(user.ended for user in users):
                    await anyio.sleep(0.1)
    return lives, sum(user.done for user in users)


async def test_nothing_is_lost_and_nothing_grows(tmp_path, record_property):
    journal, gauge, watchers = tmp_path / "journal.jsonl", Gauge(max(1.0, SECONDS / 120)), []
    record_property("seed", SEED)
    outside = len(descriptors())
    async with a_town(tmp_path) as town:
        sockets, files = await files_when_empty(town[0])
        lives, tasks = await live_through(town, journal, gauge, watchers)
        late_sockets, late_files = await files_when_empty(town[0])
    happened = town[2].happened
    text = report(happened, lives, tasks, gauge)
    record_property("report", text)
    sys.stdout.write(f"{SEED}:\n{text}\n")
    assert [wrong for watcher in watchers for wrong in watcher.wrong] == []
    lines = list(read_journal(journal))
    assert not any(isinstance(line, Damage) for line in lines)
    assert sum(isinstance(line, Entry) for line in lines) > SECONDS
    assert list(replay(lines)) == []
    (early_bytes, _), (late_bytes, _) = gauge.quarter(1), gauge.quarter(3)
    assert late_bytes - early_bytes < 30 * 2**20
    assert late_sockets - sockets <= POOL
    assert late_files - files <= 5
    assert len(descriptors()) - outside <= 5
    if WRITE:
        write_figures("soak", text)


def report(happened, lives, tasks, gauge) -> str:
    """A table of what there was, and what the process weighed at its beginning and its end."""
    rows = [f"| {name} | {times} |" for name, times in sorted(happened.items())]
    (early_bytes, early_files), (late_bytes, late_files) = gauge.quarter(1), gauge.quarter(3)
    mib = 2**20
    weights = (
        f"From the second quarter of the time to the last one the process went from {early_bytes / mib:.1f} MiB to "
        f"{late_bytes / mib:.1f} MiB, and from {early_files:.0f} open files to {late_files:.0f}."
    )
    said = (
        f"{SECONDS / 60:.0f} minutes, seed `{SEED}`: {sum(happened.values())} faults, {lives} lifetimes, {tasks} tasks with "
        "the right result, none lost."
    )
    return "\n".join([said, "", "| fault | times, each survived |", "|---|---|", *rows, "", weights])
