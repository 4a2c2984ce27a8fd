"""The programs that the benchmarks measure, each in a process of its own: ``contestants.py ROLE [ARGUMENT ...]``.

They are told what to do over stdin and answer over stdout; the end of stdin is the end of them. LocalCluster's worker
processes import this file once more, so that it imports next to nothing before it is told to.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from queue import Empty, SimpleQueue

MAXIMUM = 4
NAP = 0.1

UPSTREAM = {
    "defaults": {},
    "20ms": {"interval": "20ms"},
    # The same patience in seconds as by default: 150 x 20 ms.
    "20ms-150": {"interval": "20ms", "wait_count": 150},
}


def main() -> None:
    name, *arguments = sys.argv[1:]
    ROLES[name](*arguments)


def tell(value) -> None:
    print(json.dumps(value), flush=True)


# reaction: from submit to the request


def reaction_upstream(variant, submits, seed) -> None:
    from distributed import Client

    stamps = SimpleQueue()
    with stamped_local_cluster(stamps) as cluster, Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=MAXIMUM, **UPSTREAM[variant])
        tell(reactions(client, cluster, stamps, int(submits), int(seed)))


def reaction_drop_in(submits, seed) -> None:
    from distributed import Client

    import trio_adaptive.dask

    stamps = SimpleQueue()
    with stamped_local_cluster(stamps) as cluster, Client(cluster) as client:
        cluster.adapt(Adaptive=trio_adaptive.dask.Adaptive, minimum=0, maximum=MAXIMUM)
        tell(reactions(client, cluster, stamps, int(submits), int(seed)))


def reaction_local_cluster(submits, seed) -> None:
    import trio
    from distributed import Client

    from trio_adaptive import adaptive

    stamps = SimpleQueue()

    def work(cluster):
        with Client(cluster) as client:
            return reactions(client, cluster, stamps, int(submits), int(seed))

    async def program():
        with stamped_local_cluster(stamps) as cluster:
            async with adaptive(cluster, minimum=0, maximum=MAXIMUM):
                tell(await trio.to_thread.run_sync(work, cluster))

    trio.run(program)


def reaction_processes(submits, seed) -> None:
    import trio
    from distributed import Client

    from trio_adaptive import adaptive
    from trio_adaptive.clusters.command import command_cluster
    from trio_adaptive.clusters.scheduler import embedded_scheduler

    stamps = SimpleQueue()

    async def launch(units):  # starts nothing
        stamps.put((time.perf_counter(), len(units)))

    def work(address):
        with Client(address) as client:
            return reactions(client, None, stamps, int(submits), int(seed))

    async def program():
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            command_cluster(scheduler.address) as cluster,
        ):
            cluster.launch = launch
            async with adaptive(cluster, minimum=0, maximum=MAXIMUM):
                tell(await trio.to_thread.run_sync(work, scheduler.address))

    trio.run(program)


def stamped_local_cluster(stamps):
    """A LocalCluster of threads, which notes when it is asked to grow, and then does so."""
    from distributed import LocalCluster

    class Stamped(LocalCluster):
        def scale(self, n=0, memory=None, cores=None):
            if n:
                stamps.put((time.perf_counter(), n))
            return super().scale(n, memory, cores)

    return Stamped(n_workers=0, processes=False, threads_per_worker=1, dashboard_address=None)


def reactions(client, cluster, stamps, submits, seed):
    """Seconds from submit to the request, for as many submits into an empty cluster; the first is not counted."""
    dice = random.Random(seed)
    results = []
    for number in range(submits + 1):
        # Anywhere between two looks of the slowest poller.
        time.sleep(0.2 + dice.random())
        drop_all(stamps)
        begun = time.perf_counter()
        future = client.submit(pow, number, 2, pure=False)
        at, asked = stamps.get(timeout=30)
        if asked != 1:
            raise RuntimeError(f"{asked} workers were asked for instead of one")
        results.append(at - begun)
        if cluster is None:
            future.cancel()
        elif future.result(timeout=30) != number**2:
            raise RuntimeError("a wrong result")
        del future
        if cluster is not None:
            empty(cluster)
    return results[1:]


def drop_all(queue) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return


def empty(cluster) -> None:
    """Take the workers away at once, in place of waiting until the contestant's patience is over."""
    scheduler = cluster.scheduler
    quiet = 0
    while quiet < 20:
        # Not before the task is forgotten: a poller would ask for a worker once more.
        if cluster.worker_spec and not scheduler.tasks:
            cluster.scale(0)
        busy = scheduler.tasks or scheduler.workers or cluster.workers or cluster.worker_spec
        quiet = 0 if busy else quiet + 1
        time.sleep(0.005)


# bursts: from submit to all done


def burst_script(tasks) -> None:
    """Run by ``trio-adaptive run``, with the scheduler's address in its environment."""
    from distributed import Client

    with Client() as client:
        burst(client, int(tasks))


def burst_upstream(tasks) -> None:
    from distributed import Client, LocalCluster

    options = {"n_workers": 0, "processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        cluster.adapt(maximum=MAXIMUM)
        burst(client, int(tasks))


def burst_by_hand(tasks) -> None:
    """Nobody decides anything: as many workers as are useful are started in the moment of the submit."""
    from distributed import Client

    from trio_adaptive.clusters.template import WorkerTemplate, worker_command
    from trio_adaptive.decision.model import UnitId

    template = WorkerTemplate(worker_command(host="127.0.0.1"))
    command = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    scheduler = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
    workers = []

    def start():
        for number in range(min(int(tasks), MAXIMUM)):
            filled = template.fill(address, UnitId(f"by-hand-{number}"))
            # A session each, as ours have: where sessions share the processors evenly, it makes a difference.
            silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            workers.append(subprocess.Popen(filled, start_new_session=True, **silent))

    try:
        address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
        with Client(address) as client:
            burst(client, int(tasks), start, lambda: [worker.kill() for worker in workers])
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def burst(client, tasks, at_begin=lambda: None, at_end=lambda: None) -> None:
    """Wait for the word, do the work, report, wait for the end of stdin."""
    tell("ready")
    sys.stdin.readline()
    begun, begun_at = time.perf_counter(), time.time()
    at_begin()
    futures = client.map(nap, range(tasks), pure=False)
    results = client.gather(futures)
    done = time.perf_counter() - begun
    if results != [number**2 for number in range(tasks)]:
        raise RuntimeError("wrong results")
    at_end()
    del futures
    arrivals = [
        at - begun_at for at, event in client.get_events("all") if event.get("action") == "add-worker"
    ]
    tell({"done": done, "arrivals": sorted(arrivals)})
    sys.stdin.read()


def nap(number):
    time.sleep(NAP)
    return number**2


# idle: what it costs to stand by


def idle_ours_held() -> None:
    """What ``trio-adaptive up`` is made of, with four workers, and nobody who adapts them."""
    import trio

    from trio_adaptive.clusters.command import command_cluster
    from trio_adaptive.clusters.scheduler import embedded_scheduler
    from trio_adaptive.clusters.template import WorkerTemplate, worker_command
    from trio_adaptive.decision.model import UnitId

    async def program():
        template = WorkerTemplate(worker_command(host="127.0.0.1"))
        async with (
            embedded_scheduler(dashboard_address=None) as scheduler,
            command_cluster(scheduler.address, template) as cluster,
        ):
            await cluster.launch([UnitId(f"held-{number}") for number in range(MAXIMUM)])
            print("Scheduler", scheduler.address, flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)

    trio.run(program)


def idle_upstream(variant) -> None:
    from distributed import LocalCluster

    options = {"n_workers": MAXIMUM, "processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster:
        if variant != "held":
            cluster.adapt(minimum=MAXIMUM, maximum=MAXIMUM, **UPSTREAM[variant])
        print("Scheduler", cluster.scheduler_address, flush=True)
        sys.stdin.read()


ROLES = {
    "reaction-upstream": reaction_upstream,
    "reaction-drop-in": reaction_drop_in,
    "reaction-local-cluster": reaction_local_cluster,
    "reaction-processes": reaction_processes,
    "burst-script": burst_script,
    "burst-upstream": burst_upstream,
    "burst-by-hand": burst_by_hand,
    "idle-ours-held": idle_ours_held,
    "idle-upstream": idle_upstream,
}

if __name__ == "__main__":
    main()
