"""Half an hour of work, limits, faults and restarts by chance: each result comes, and nothing grows.

``nox -s soak`` runs it; ``TRIO_ADAPTIVE_SOAK`` is for how many seconds, ``TRIO_ADAPTIVE_SOAK_SEED`` repeats one.
"""

from __future__ import annotations

import gc
import os
import random
import secrets
import signal
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

import anyio
import anyio.to_thread
import pytest
from attrs import define, field
from leftovers import descriptors
from real_dask import a_client

sys.path.append(str(Path(__file__).parents[1] / "dask"))
sys.path.append(str(Path(__file__).parents[1] / "faults"))
from fault_matrix import WORKER
from soak_kit import MOST, Operator, Watcher

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.errors import ClusterError
from trio_adaptive.journal.lines import Entry
from trio_adaptive.journal.reading import Damage, read_journal, replay

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("TRIO_ADAPTIVE_SOAK", "120"))
SEED = os.environ.get("TRIO_ADAPTIVE_SOAK_SEED") or secrets.token_hex(4)
LAST_WORD = 120.0
"""Seconds within which all that is asked for is done when the faults have ended."""

STORMY = {
    "interval": 0.1,
    "wait_count": 1,
    "idle_timeout": 0.2,
    "target_duration": 0.5,
    "call_timeout": 1,
    "request_timeout": 2,
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


@define
class User:
    """Asks for work, and looks at each result."""

    chance: random.Random
    client: object
    done: int = 0
    enough: bool = False
    ended: bool = False

    async def run(self) -> None:
        while not self.enough:
            numbers = [self.chance.randrange(10**6) for _ in range(self.chance.randint(1, 40))]
            seconds = [min(0.5, self.chance.expovariate(10)) for _ in numbers]
            batch = partial(self._batch, numbers, seconds)
            assert await anyio.to_thread.run_sync(batch, abandon_on_cancel=True) == [n + 1 for n in numbers]
            self.done += len(numbers)
            await anyio.sleep(self.chance.uniform(0, 1.5))
        self.ended = True

    def _batch(self, numbers, seconds):
        def work(number, duration):
            time.sleep(duration)
            return number + 1

        return self.client.gather(self.client.map(work, numbers, seconds, pure=False))


@define
class Trouble:
    """Lets something go wrong every now and then."""

    chance: random.Random
    cluster: object
    scheduler: int
    next_start: Path
    happened: Counter = field(factory=Counter)

    async def run(self) -> None:
        kinds = [
            self.kill,
            self.kill,
            self.freeze_worker,
            self.freeze_scheduler,
            self.fail_start,
            self.fail_launch,
        ]
        while True:
            await anyio.sleep(self.chance.uniform(0.5, 4))
            kind = self.chance.choice(kinds)
            with anyio.CancelScope(shield=True):
                await kind()
            self.happened[kind.__name__] += 1

    def _some(self) -> list[int]:
        pids = sorted(self.cluster.pids.values())
        return [self.chance.choice(pids)] if pids else []

    async def kill(self) -> None:
        for pid in self._some():
            os.kill(pid, signal.SIGKILL)

    async def freeze_worker(self) -> None:
        for pid in self._some():
            await self._freeze(pid)

    async def freeze_scheduler(self) -> None:
        await self._freeze(self.scheduler)

    async def _freeze(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        await anyio.sleep(self.chance.uniform(0, 3))
        with suppress(ProcessLookupError):  # it was ended meanwhile
            os.kill(pid, signal.SIGCONT)

    async def fail_start(self) -> None:
        self.next_start.write_text("exit")

    async def fail_launch(self) -> None:
        async def refuse(units):
            del self.cluster.launch
            raise ClusterError(f"no room for {len(units)}")

        self.cluster.launch = refuse


@define
class Gauge:
    """Memory and open files of this process over time."""

    readings: list[tuple[int, int]] = field(factory=list)

    async def run(self) -> None:
        while True:
            await anyio.sleep(max(1.0, SECONDS / 120))
            gc.collect()
            pages = int((await anyio.Path("/proc/self/statm").read_text()).split()[1])
            self.readings.append((pages * os.sysconf("SC_PAGESIZE"), len(descriptors())))

    def growth(self) -> tuple[float, float]:
        """From the second quarter to the last one: bytes and open files."""
        quarter = len(self.readings) // 4
        early, late = self.readings[quarter : 2 * quarter], self.readings[-quarter:]
        bytes_, files = (
            median(reading[place] for reading in late) - median(reading[place] for reading in early)
            for place in (0, 1)
        )
        return bytes_, files


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


async def test_nothing_is_lost_and_nothing_grows(tmp_path, record_property):
    chance, journal, next_start = random.Random(SEED), tmp_path / "journal.jsonl", tmp_path / "next start"
    command = ("sh", "-c", WORKER, str(next_start), *worker_command())
    record_property("seed", SEED)
    async with (
        embedded_scheduler(dashboard_address=None, env=os.environ | SCHEDULER) as scheduler,
        command_cluster(scheduler.address, WorkerTemplate(command)) as cluster,
        a_client(scheduler.address) as client,
    ):
        users = [User(random.Random(f"{SEED} {n}"), client) for n in range(3)]
        trouble, gauge, watchers = Trouble(chance, cluster, scheduler.process.pid, next_start), Gauge(), []
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
        growth = gauge.growth()
    for name, value in {**trouble.happened, "lifetimes": lives, "tasks": sum(u.done for u in users)}.items():
        record_property(name, value)
    record_property("growth", growth)
    sys.stdout.write(f"{SEED}: {dict(trouble.happened)}, {lives} lifetimes, growth {growth}\n")
    assert [wrong for watcher in watchers for wrong in watcher.wrong] == []
    lines = list(read_journal(journal))
    assert not any(isinstance(line, Damage) for line in lines)
    assert sum(isinstance(line, Entry) for line in lines) > SECONDS
    assert list(replay(lines)) == []
    assert growth[0] < 30 * 2**20
    assert growth[1] <= 5
