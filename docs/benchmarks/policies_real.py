"""Policies on real worker processes whose start is slowed down, beside the simulation of the same work.

    python docs/benchmarks/policies_real.py [--quick] [--only WORK] [--delay SECONDS] [--rounds N]

Three kinds of work (bursts with pauses, a wide graph with a narrow tail, a trickle), start-up delays of 2 s and 20 s. Tasks sleep, so
that a small machine will do. Takes about an hour; ``--quick`` a few minutes. Needs ``trio-adaptive[dask]``.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from common import progress, table
from distributed import Client, LocalCluster, Nanny

import trio_adaptive.dask
from trio_adaptive.decision.targets.named import named_policy
from trio_adaptive.simulation.cluster import Hardware
from trio_adaptive.simulation.run import Setup, simulate
from trio_adaptive.simulation.workloads.model import Task, Workload, make_workload

MAXIMUM = 4
STEP = 0.05
"""Seconds between two looks at what is paid."""

CONTESTANTS: dict[str, dict[str, Any]] = {
    "upstream": {},
    "ours, dask": {"Adaptive": trio_adaptive.dask.Adaptive, "policy": "dask"},
    "ours, demand": {"Adaptive": trio_adaptive.dask.Adaptive, "policy": "demand"},
    "ours, adaptive": {"Adaptive": trio_adaptive.dask.Adaptive, "policy": "adaptive"},
}
SIMULATED = {"upstream": "dask", "ours, dask": "dask", "ours, demand": "demand", "ours, adaptive": "adaptive"}


def bursts() -> list[Task]:
    """Four bursts of 16 tasks of 0.5 s, one every 15 s."""
    return [Task(f"burst-{b}-{i}", 15.0 * b, 0.5, (), "burst") for b in range(4) for i in range(16)]


def wide() -> list[Task]:
    """40 tasks of 1 s, and then a chain of eight of 1 s."""
    first = [Task(f"wide-{i}", 0.0, 1.0, (), "wide") for i in range(40)]
    tail: list[Task] = []
    for i in range(8):
        deps = (tail[-1].id,) if tail else tuple(t.id for t in first)
        tail.append(Task(f"tail-{i}", 0.0, 1.0, deps, "tail"))
    return [*first, *tail]


def trickle() -> list[Task]:
    """A task of 2 s every 5 s, 16 of them."""
    return [Task(f"trickle-{i}", 5.0 * i, 2.0, (), "trickle") for i in range(16)]


WORK: dict[str, Callable[[], list[Task]]] = {"bursts": bursts, "wide": wide, "trickle": trickle}


class Paid(threading.Thread):
    """Adds up worker-seconds from request to end, of a cluster whose specification has all its workers."""

    def __init__(self, cluster: Any) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.seconds = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        before = time.perf_counter()
        while not self.over.wait(STEP):
            now = time.perf_counter()
            self.seconds += len(self.cluster.worker_spec) * (now - before)
            before = now


def nap(seconds: float, *_: object) -> None:
    time.sleep(seconds)


def one_run(name: str, workload: Workload, delay: float) -> tuple[float, float]:
    """Worker-seconds, and seconds until all was done."""

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
    return paid.seconds, done


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


def main() -> None:
    options = parse()
    delays = [options.delay] if options.delay else [2.0] if options.quick else [2.0, 20.0]
    rounds = options.rounds or (1 if options.quick else 3)
    for delay in delays:
        rows = []
        for work in options.only or WORK:
            workload = make_workload(work, WORK[work]())
            for name in CONTESTANTS:
                progress(f"{work}, {delay:g} s, {name}")
                runs = [one_run(name, workload, delay) for _ in range(rounds)]
                paid, done = (median(each) for each in zip(*runs, strict=True))
                # A process needs about a second beside the delay.
                by_model = simulated(name, workload, delay + 1)
                shown = (f"{paid:.0f}", f"{by_model[0]:.0f}", f"{done:.1f}", f"{by_model[1]:.1f}")
                rows.append((work, name, *shown))
        heads = ("work", f"start + {delay:g} s, {rounds} runs", "paid", "simulated", "done, s", "simulated")
        print(table(heads, rows), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Policies on real workers that start slowly.")
    parser.add_argument("--quick", action="store_true", help="one run, a delay of 2 s")
    parser.add_argument("--only", action="append", choices=WORK, help="one kind of work")
    parser.add_argument("--delay", type=float, help="one delay, in seconds")
    parser.add_argument("--rounds", type=int, help="how often")
    return parser.parse_args()


if __name__ == "__main__":
    main()
