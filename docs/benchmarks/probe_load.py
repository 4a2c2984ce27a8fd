"""What it costs the scheduler to tell the load, and to keep it: with up to 10 000 workers and 1 000 000 tasks.

The scheduler is a real one that nobody connects to. Its workers and tasks are put into it by its own methods and
collections (`WorkerState`, `new_task`, `add_to_processing`, `add_replica`, `queued`, `unrunnable`), without processes
behind them; then the probe's load side is opened on it, as it would be on a scheduler at work. What is timed is the
handler and the packing of its answer, which is what the scheduler's event loop is kept from its work for.

The throughput is that of a scheduler with two worker processes, with the probe put in and taken out again by turns.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any

from attrs import frozen
from common import alternating, check, progress, table
from dask import config
from distributed import Client, LocalCluster, Scheduler
from distributed.core import Status
from distributed.protocol import dumps
from distributed.scheduler import WorkerState

from trio_adaptive.dask.line import open_line
from trio_adaptive.dask.link import open_link
from trio_adaptive.dask.probe.load import LoadFacts

WORKERS = (10, 1_000, 10_000)
TASKS = (10_000, 1_000_000)
METRICS = {
    "task_counts": {"executing": 1},
    "memory": 200_000_000,
    "managed_bytes": 1_000_000,
    "spilled_bytes": {"memory": 0, "disk": 0},
    "bandwidth": {"total": 100_000_000, "workers": {}, "types": {}},
    "cpu": 80.0,
    "event_loop_interval": 0.02,
    "num_fds": 40,
}
"""What a heartbeat tells, shortened."""

BURST = 10_000


@frozen
class Filled:
    """A scheduler with so much in it, and the load side of the probe."""

    scheduler: Any
    facts: LoadFacts

    @classmethod
    def of(cls, workers: int, tasks: int) -> Filled:
        scheduler = Scheduler(dashboard=False, dashboard_address="127.0.0.1:0")
        scheduler._address = "tcp://10.0.0.1:8786"  # noqa: SLF001 - identity() tells it
        states = [_worker(scheduler, n) for n in range(workers)]
        for n in range(tasks):
            _task(scheduler, states, n)
        parts: Any = SimpleNamespace(fenced={}, wake=lambda _: None)
        facts = LoadFacts(scheduler, parts, parts)
        facts.open()
        return cls(scheduler, facts)

    def questions(self) -> dict[str, Callable[[], Any]]:
        return {
            "totals and classes": self.facts.load,
            "with a row for each worker": lambda: self.facts.load(rows=True),
            "candidates for leaving": self.facts.candidates,
            "stock: `adaptive_target`": lambda: self.scheduler.adaptive_target(target_duration=5),
            "stock: `identity`": lambda: self.scheduler.identity(n_workers=-1),
        }


def _worker(scheduler: Any, n: int) -> WorkerState:
    """One of every ten has a resource."""
    address = f"tcp://10.{n // 65_536}.{n // 256 % 256}.{n % 256}:40000"
    state = WorkerState(
        address=address,
        status=Status.running,
        pid=n,
        name=f"adaptive-{n}",
        nthreads=2,
        memory_limit=4_000_000_000,
        local_directory="/tmp/dask",  # noqa: S108 - text in an answer
        nanny=None,
        server_id=f"Worker-{n}",
        scheduler=scheduler,
    )
    state.metrics = dict(METRICS)
    scheduler.workers[address] = state
    scheduler.aliases[state.name] = address
    scheduler.running.add(state)
    scheduler.total_nthreads += state.nthreads
    if n % 10 == 0:
        state.resources = {"GPU": 1}
        scheduler.resources.setdefault("GPU", {})[address] = 1
    return state


def _task(scheduler: Any, workers: Sequence[WorkerState], n: int) -> None:
    """Half of them are results, one in ten of those on two workers; the others are ready in one way or another."""
    task = scheduler.new_task((f"group-{n % 50}", n), None, "released")
    task.prefix.duration_average = 0.1
    worker = workers[n // 10 % len(workers)]
    kind = n % 10
    if kind < 5:
        task.state = "memory"
        task.set_nbytes(1_000)
        for holder in {worker, workers[n // 10 * 7 % len(workers)]} if n % 100 == 0 else {worker}:
            scheduler.add_replica(task, holder)
    elif kind < 8:
        if kind == 7:  # bound to one worker, as in a P2P shuffle: as many classes as workers
            task.worker_restrictions = {worker.address}
        task.state = "processing"
        task.processing_on = worker
        worker.add_to_processing(task)
    elif kind == 8:
        task.state = "queued"
        task.priority = (0, n)
        scheduler.queued.add(task)
    else:
        task.resource_restrictions = {"GPU": 2 + n % 30}
        task.state = "no-worker"
        scheduler.unrunnable[task] = 0.0


def measure(*, quick: bool) -> str:
    """Run it; returns the results as Markdown."""
    return f"{asyncio.run(answers(quick=quick))}\n\n{asyncio.run(throughput(quick=quick))}"


async def answers(*, quick: bool) -> str:
    """The cost of one answer."""
    sizes = [(workers, tasks // 10 if quick else tasks) for workers in WORKERS for tasks in TASKS]
    found: dict[str, list[str]] = {}
    for workers, tasks in sizes:
        progress(f"load, {workers} workers, {tasks} tasks")
        filled = Filled.of(workers, tasks)
        gc.collect()
        gc.freeze()  # a collection among a million tasks takes a second, whoever happens to cause it
        check(filled.facts.load()["workers"] == workers, "all workers are told of")
        for name, question in filled.questions().items():
            took = [_timed(question) for _ in range(5 if quick else 25)]
            found.setdefault(name, []).append(f"{1000 * median(took):.3g}")
        size = len(b"".join(dumps(filled.facts.load(rows=True)))) / 1000
        found.setdefault("kB with a row for each worker", []).append(f"{size:.3g}")
        del filled
        gc.unfreeze()
    columns = [f"{workers:,} / {tasks:,}".replace(",", " ") for workers, tasks in sizes]
    head = ("one answer, ms of processor", *columns)
    return table(head, [(name, *cells) for name, cells in found.items()])


def _timed(question: Callable[[], Any]) -> float:
    begun = time.thread_time()  # of the processor, whoever else is at work on the machine
    dumps(question())
    return time.thread_time() - begun


async def throughput(*, quick: bool) -> str:
    """Small tasks in a scheduler's hands, with the probe and without."""
    rounds = 2 if quick else 8
    found: dict[str, list[float]] = {"with the probe": [], "without": []}
    spent: dict[str, list[float]] = {name: [] for name in found}
    with config.set({"distributed.scheduler.worker-saturation": 1.1}):
        async with (
            LocalCluster(
                n_workers=2, threads_per_worker=2, asynchronous=True, dashboard_address=":0"
            ) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            await _burst(client, -1)
            for round_ in range(rounds):
                progress(f"throughput, round {round_ + 1} of {rounds}")
                for who in alternating(list(found), round_):
                    wall, processor = await _driven(cluster, client, round_, probe=who == "with the probe")
                    found[who].append(BURST / wall)
                    spent[who].append(1e6 * processor / BURST)
    rows = [(name, f"{median(found[name]):.0f}", f"{median(spent[name]):.1f}") for name in found]
    shares = [ours / theirs for ours, theirs in zip(*found.values(), strict=True)]
    rows.append(("the one to the other, median of the rounds", f"{100 * median(shares):.1f} %", ""))
    head = (f"{BURST:,} small tasks".replace(",", " "), "tasks a second", "us of processor a task")
    return table(head, rows)


async def _driven(cluster: Any, client: Any, round_: int, *, probe: bool) -> tuple[float, float]:
    if not probe:
        return await _burst(client, 2 * round_)
    async with open_link(cluster.scheduler_address) as link, open_line(link, "benchmark"):
        async with asyncio.timeout(60):
            while link.epoch is None:  # the line is begun anew where the scheduler has not answered at once
                check(not link.degraded, link.degraded)
                await asyncio.sleep(0.05)
        return await _burst(client, 2 * round_ + 1)


async def _burst(client: Any, number: int) -> tuple[float, float]:
    """Wall-clock and processor seconds; client and scheduler share the process, the workers have their own."""
    gc.collect()
    begun, spent = time.perf_counter(), time.process_time()
    await client.gather(client.map(_inc, range(BURST), key=f"inc-{number}"))
    return time.perf_counter() - begun, time.process_time() - spent


def _inc(n: int) -> int:
    return n + 1


if __name__ == "__main__":
    print(measure(quick=False))
