"""Policies on real worker processes whose start is slowed down, beside the simulation of the same work.

    python docs/benchmarks/policies_real.py [--write] [--quick] [--serial] [--only WORK] [--delay SECONDS] [--rounds N]

Three kinds of work (bursts with pauses, a wide graph with a narrow tail, a trickle), start-up delays of 2 s and 20 s, the contestants
one after another. Tasks sleep, so that a small machine will do; the three kinds of work run side by side, each on a cluster of its
own, unless ``--serial`` says otherwise. Takes twenty-five minutes, ``--quick`` three, ``--serial`` an hour. Needs ``trio-adaptive[dask]``.

The simulation is given the start-up time that was measured, in the median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from attrs import frozen
from common import facts, progress, table
from distributed import Client, LocalCluster, Nanny

import trio_adaptive.dask
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.model import Task, Workload, make_workload

PAGE = Path(__file__).parents[1] / "explanation" / "policies.md"
MAXIMUM = 4
STEP = 0.05
"""Seconds between two looks at what is paid."""

RUN_TIMEOUT = 600.0
"""Seconds that a run may take."""

CONTESTANTS: dict[str, dict[str, Any]] = {
    "upstream": {},
    "ours, dask": {"Adaptive": trio_adaptive.dask.Adaptive, "policy": "dask"},
    "ours, adaptive": {"Adaptive": trio_adaptive.dask.Adaptive, "policy": "adaptive"},
}
SIMULATED = {"upstream": "dask", "ours, dask": "dask", "ours, adaptive": "adaptive"}


def bursts() -> list[Task]:
    """Four bursts of 16 tasks of 0.5 s, one every 12 s."""
    return [Task(f"burst-{b}-{i}", 12.0 * b, 0.5, (), "burst") for b in range(4) for i in range(16)]


def wide() -> list[Task]:
    """40 tasks of 1 s, and then a chain of eight of 1 s."""
    first = [Task(f"wide-{i}", 0.0, 1.0, (), "wide") for i in range(40)]
    tail: list[Task] = []
    for i in range(8):
        deps = (tail[-1].id,) if tail else tuple(t.id for t in first)
        tail.append(Task(f"tail-{i}", 0.0, 1.0, deps, "tail"))
    return [*first, *tail]


def trickle() -> list[Task]:
    """A task of 2 s every 5 s, 9 of them."""
    return [Task(f"trickle-{i}", 5.0 * i, 2.0, (), "trickle") for i in range(9)]


WORK: dict[str, Callable[[], list[Task]]] = {"bursts": bursts, "wide": wide, "trickle": trickle}


class Paid(threading.Thread):
    """Adds up worker-seconds from request to end, of a cluster whose specification has all its workers.

    Attributes:
        seconds: that sum.
        startups: how long each worker took from there to its registration.
    """

    def __init__(self, cluster: Any) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.seconds = 0.0
        self.startups: list[float] = []
        self.over = threading.Event()
        self._asked: dict[str, float] = {}

    def run(self) -> None:
        before = time.perf_counter()
        while not self.over.wait(STEP):
            now = time.perf_counter()
            names = [str(name) for name in list(self.cluster.worker_spec)]
            self.seconds += len(names) * (now - before)
            before = now
            self._see(names, now)

    def _see(self, names: list[str], now: float) -> None:
        registered = {str(ws.name) for ws in list(dict.values(self.cluster.scheduler.workers))}
        for name in names:
            self._asked.setdefault(name, now)
        for name in registered & self._asked.keys():
            self.startups.append(now - self._asked.pop(name))
            self._asked[name] = float("inf")  # seen
        self.startups = [each for each in self.startups if each >= 0]


@frozen
class Figures:
    """What came of one run: worker-seconds, seconds until all was done, and the median start."""

    paid: float
    done: float
    startup: float


def nap(seconds: float, *_: object) -> None:
    time.sleep(seconds)


def one_run(name: str, workload: Workload, delay: float) -> Figures:
    """Run a workload on a cluster of its own."""

    class Slow(Nanny):
        async def start_unsafe(self) -> Any:
            await asyncio.sleep(delay)
            return await super().start_unsafe()

    options = {"n_workers": 0, "threads_per_worker": 1, "dashboard_address": ":0", "worker_class": Slow}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        cluster.adapt(maximum=MAXIMUM, **CONTESTANTS[name])
        paid = Paid(cluster)
        paid.start()
        begun = time.perf_counter()
        submit(client, workload, begun)
        done = time.perf_counter() - begun
        while cluster.worker_spec:
            time.sleep(STEP)
        paid.over.set()
        paid.join()
    return Figures(paid.seconds, done, median(paid.startups))


def submit(client: Client, workload: Workload, begun: float) -> None:
    """Submit all at their times, those of one moment at once, and wait for them."""
    futures: list[Any] = []
    times = sorted({task.submit for task in workload.tasks})
    for at in times:
        time.sleep(max(0.0, begun + at - time.perf_counter()))
        graph = {
            f"{task.group}-{task.id}": (nap, task.duration, *(f"{d.split('-')[0]}-{d}" for d in task.deps))
            for task in workload.tasks
            if task.submit == at
        }
        futures += client.get(graph, list(graph), sync=False)
    client.gather(futures)


def simulated(name: str, workload: Workload, startup: float) -> tuple[float, float]:
    """The same by the model."""
    policy = named_policy(SIMULATED[name])
    run = simulate(workload, Setup(policy, Hardware(startup=startup), maximum=MAXIMUM))
    return run.account.cost, run.account.ended


def side_by_side(name: str, works: Sequence[str], delay: float, *, serial: bool) -> list[Figures]:
    """One run of each kind of work, each in a process of its own."""
    running: list[subprocess.Popen[str]] = []
    figures: list[str] = []
    for work in works:
        command = [sys.executable, __file__, "--one", name, "--only", work, "--delay", str(delay)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        if serial:
            figures.append(running[-1].communicate(timeout=RUN_TIMEOUT)[0])
    if not serial:
        figures = [process.communicate(timeout=RUN_TIMEOUT)[0] for process in running]
    return [Figures(**json.loads(line.splitlines()[-1])) for line in figures]


def main() -> None:
    options = parse()
    if options.one:
        work = options.only[0]
        figures = one_run(options.one, make_workload(work, WORK[work]()), options.delay)
        print(json.dumps({"paid": figures.paid, "done": figures.done, "startup": figures.startup}))
        return
    begun = time.perf_counter()
    delays = [options.delay] if options.delay else [2.0] if options.quick else [2.0, 20.0]
    rounds = options.rounds or (1 if options.quick else 3)
    tables = [measured(options, delay, rounds) for delay in delays]
    minutes = (time.perf_counter() - begun) / 60
    text = "\n\n".join([*tables, f"{facts()} It took {minutes:.0f} minutes."])
    print(text)
    if options.write:
        begin, end = "<!-- figures: begin policies_real -->", "<!-- figures: end policies_real -->"
        pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
        PAGE.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", PAGE.read_text()))


def measured(options: argparse.Namespace, delay: float, rounds: int) -> str:
    """The table for one delay."""
    works = options.only or list(WORK)
    rows: dict[str, list[tuple[str, ...]]] = {work: [] for work in works}
    for name in CONTESTANTS:
        runs: list[list[Figures]] = []
        for number in range(rounds):
            progress(f"{delay:g} s, {name}, round {number + 1}")
            runs.append(side_by_side(name, works, delay, serial=options.serial))
        for work, found in zip(works, zip(*runs, strict=True), strict=True):
            rows[work].append(row(work, name, found))
    heads = ("work", f"delay {delay:g} s", "start, s", "paid", "simulated", "", "done, s", "simulated", "")
    return table(heads, [each for work in works for each in rows[work]])


def row(work: str, name: str, found: Sequence[Figures]) -> tuple[str, ...]:
    """A line of a table: medians, and what the model says of the same."""
    paid, done = median(each.paid for each in found), median(each.done for each in found)
    startup = median(each.startup for each in found)
    cost, ended = simulated(name, make_workload(work, WORK[work]()), startup)
    return (
        *(work, name, f"{startup:.1f}"),
        *(f"{paid:.0f}", f"{cost:.0f}", f"{100 * (cost / paid - 1):+.0f} %"),
        *(f"{done:.1f}", f"{ended:.1f}", f"{100 * (ended / done - 1):+.0f} %"),
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Policies on real workers that start slowly.")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name} as well")
    parser.add_argument("--quick", action="store_true", help="one run, a delay of 2 s")
    parser.add_argument("--serial", action="store_true", help="one kind of work after the other")
    parser.add_argument("--only", action="append", choices=WORK, help="one kind of work")
    parser.add_argument("--delay", type=float, help="one delay, in seconds")
    parser.add_argument("--rounds", type=int, help="how often")
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
