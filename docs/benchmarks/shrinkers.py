"""The programs that the benchmark of shrinking measures, each in a process of its own: ``shrinkers.py ROLE [ARGUMENT ...]``.

LocalCluster's worker processes import this file once more, so that it imports next to nothing before it is told to.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

LARGE, SMALL = 4, 1
TASKS = 200
SCATTERED = 9
TURNS = ((30, SMALL), (80, LARGE), (140, SMALL))
"""After so many tasks are done, the cluster is to have so many workers."""

LIMIT = 60.0
HANGS = 10.0
"""Longer than this is never."""


def main() -> None:
    name, *arguments = sys.argv[1:]
    ROLES[name](*arguments)


def tell(value) -> None:
    print(json.dumps(value), flush=True)


def wait_for(condition, what) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited too long for {what}")
        time.sleep(0.005)


def adaptive_class(side):
    if side == "upstream":
        from distributed.deploy import Adaptive
    else:
        from trio_adaptive.dask import Adaptive
    return Adaptive


@contextmanager
def adapted(side, size, *, cluster_class=None, **options):
    """A LocalCluster held at a size by one of both, and its client; the same script for both."""
    from distributed import Client, LocalCluster

    own = {"n_workers": 0, "dashboard_address": None, "processes": True, "threads_per_worker": 1, **options}
    with (cluster_class or LocalCluster)(**own) as cluster, Client(cluster) as client:
        adaptive = cluster.adapt(Adaptive=adaptive_class(side), minimum=size, maximum=size, interval="50ms")
        wait_for(lambda: len(cluster.scheduler.workers) == size, f"{size} workers")
        yield cluster, client, adaptive


def resize(adaptive, size) -> None:
    # Never the one beyond the other.
    for name in ("minimum", "maximum") if size < adaptive.maximum else ("maximum", "minimum"):
        setattr(adaptive, name, size)


# sizes: 200 tasks while the size is driven 4 -> 1 -> 4 -> 1


def sizes(side, runs, seed) -> None:
    with adapted(side, LARGE) as (cluster, client, adaptive):
        for run in range(int(runs)):
            wait_for(lambda: len(cluster.scheduler.workers) == LARGE, "four workers")
            with tempfile.TemporaryDirectory() as folder:
                tell(one_run(client, adaptive, Path(folder), random.Random(f"{seed}-{run}")))
            resize(adaptive, LARGE)


def one_run(client, adaptive, folder, dice):
    """How often tasks were executed, and which of the scattered keys have been lost."""
    kept = client.scatter([dice.random() for _ in range(SCATTERED)], hash=False)
    seconds = [dice.uniform(0.005, 0.06) for _ in range(TASKS)]
    begun = time.perf_counter()
    futures = client.map(partial(marked, str(folder)), range(TASKS), seconds, pure=False)
    for done, size in TURNS:
        wait_for(lambda done=done: sum(future.done() for future in futures) >= done, f"{done} tasks")
        resize(adaptive, size)
    if client.gather(futures) != list(range(TASKS)):
        raise RuntimeError("wrong results")
    took = time.perf_counter() - begun
    counts = [len(file.read_text()) for file in folder.iterdir()]
    return {
        "executions": sum(counts),
        "recomputed": sum(count > 1 for count in counts),
        "lost": sum(future.status != "finished" for future in kept),
        "seconds": took,
    }


def marked(folder, number, seconds):
    with (Path(folder) / str(number)).open("a") as file:
        file.write("x")
    time.sleep(seconds)
    return number


# recall: from the demand's return until a worker that was leaving computes, beside a new start


def recall(runs) -> None:
    with adapted("ours", LARGE, threads_per_worker=2) as (cluster, client, adaptive):
        workers = cluster.scheduler.workers
        for _ in range(int(runs)):
            recalled = from_leaving(client, adaptive, workers)
            resize(adaptive, SMALL)
            wait_for(lambda: len(workers) == SMALL, "one worker")
            started = first_start(client, adaptive, set(workers))
            tell({"recalled": recalled, "started": started})
            wait_for(lambda: len(workers) == LARGE, "four workers")


def from_leaving(client, adaptive, workers):
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder) / "gate"
        held = [
            client.submit(hold, str(gate), workers=[address], allow_other_workers=True, pure=False)
            for address in list(workers)
        ]
        wait_for(lambda: all(ws.processing for ws in workers.values()), "work on each worker")
        resize(adaptive, SMALL)
        staying = partial(_staying, workers)
        wait_for(lambda: len(staying()) == SMALL, "three that leave")
        seconds = first_start(client, adaptive, staying())
        gate.touch()
        client.gather(held)
    return seconds


def _staying(workers):
    return {address for address, ws in workers.items() if ws.status.name == "running"}


def first_start(client, adaptive, there):
    """Seconds from the demand until one that is not there yet computes."""
    begun = time.time()
    resize(adaptive, LARGE)
    futures = client.map(started_at, range(200), pure=False)
    return min(at for at, address in client.gather(futures) if address not in there) - begun


def hold(gate) -> None:
    while not Path(gate).exists():
        time.sleep(0.005)


def started_at(_):
    from distributed import get_worker

    at = time.time()
    time.sleep(0.1)
    return at, get_worker().address


# hang: from submit to the request, while the cluster's scale_down hangs for ever


def hang(side) -> None:
    import asyncio

    from distributed import Client, LocalCluster

    asked, hung = SimpleQueue(), SimpleQueue()

    class Hanging(LocalCluster):
        def scale(self, n=0, memory=None, cores=None):
            asked.put((time.perf_counter(), n))
            return super().scale(n, memory, cores)

        async def scale_down(self, workers):
            hung.put(workers)
            await asyncio.Event().wait()

    options = {"n_workers": 0, "processes": False, "threads_per_worker": 1, "dashboard_address": None}
    with Hanging(**options) as cluster, Client(cluster) as client:
        cluster.adapt(Adaptive=adaptive_class(side), maximum=8, interval="50ms")
        client.gather(client.map(pow, range(8), [2] * 8, pure=False))
        hung.get(timeout=LIMIT)
        while not asked.empty():
            asked.get()
        begun = time.perf_counter()
        futures = client.map(time.sleep, [0.5] * 8, pure=False)
        try:
            tell(asked.get(timeout=HANGS)[0] - begun)
        except Empty:
            tell(None)
        sys.stdout.flush()
        del futures
        import os

        os._exit(0)  # closing a cluster waits for its scale_down


# wake: from submit to the wake-up


def wake(way, submits, seed) -> None:
    import anyio
    import trio
    from distributed import Client

    from trio_adaptive.clusters.scheduler import embedded_scheduler
    from trio_adaptive.dask.events import watch_scheduler
    from trio_adaptive.dask.line import open_line
    from trio_adaptive.dask.link import open_link

    wakes = SimpleQueue()

    def on_wake():
        wakes.put(time.perf_counter())

    def submitting(address):
        dice, found = random.Random(seed), []
        with Client(address) as client:
            for number in range(int(submits) + 5):
                time.sleep(0.05 + 0.05 * dice.random())
                while not wakes.empty():
                    wakes.get()
                begun = time.perf_counter()
                future = client.submit(pow, number, 2, pure=False)
                found.append(wakes.get(timeout=LIMIT) - begun)
                del future
        return found[5:]

    async def program():
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            open_link(scheduler.address) as link,
            anyio.create_task_group() as tasks,
        ):
            if way == "probe":
                async with open_line(link, "a benchmark") as line:
                    tasks.start_soon(line.watch, on_wake)
                    tell(await trio.to_thread.run_sync(submitting, scheduler.address))
            else:
                tasks.start_soon(watch_scheduler, link, on_wake)
                tell(await trio.to_thread.run_sync(submitting, scheduler.address))
            tasks.cancel_scope.cancel()

    trio.run(program)


ROLES = {"sizes": sizes, "recall": recall, "hang": hang, "wake": wake}

if __name__ == "__main__":
    main()
