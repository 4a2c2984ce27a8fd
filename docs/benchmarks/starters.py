"""The programs that `starts` measures, each in a process of its own: ``starters.py ROLE [ARGUMENT ...]``."""

# ruff: noqa: PLC0415 - LocalCluster's worker processes import this file once more

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
FORK_SERVER = "_fork_server.py"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only listed


def main() -> None:
    name, *arguments = sys.argv[1:]
    ROLES[name](*arguments)


def tell(value) -> None:
    print(json.dumps(value), flush=True)


# From the start to the registration


def start(kind, number) -> None:
    """How long until so many workers that are started at once have all registered, in seconds."""
    import trio

    async def program():
        async with opened(kind) as (cluster, address, release):
            seen = await trio.to_thread.run_sync(Seen, address)
            names = [f"w-{i}" for i in range(int(number))]
            begun = time.time()
            await cluster.launch(names)
            if release is not None:
                await trio.sleep(1)  # until all of them wait
                begun = time.time()
                release()
            tell(await trio.to_thread.run_sync(seen.all_of, len(names)) - begun)

    trio.run(program)


def start_nannies(method, number) -> None:
    """The same of a LocalCluster, whose nannies start processes by this method of multiprocessing."""
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.worker.multiprocessing-method": method})
    options = {"n_workers": 0, "processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster:
        seen = Seen(cluster.scheduler_address)
        if (
            method == "forkserver"
        ):  # at its best: its server is there, with the imports that it makes by default
            import multiprocessing

            multiprocessing.set_forkserver_preload(["distributed.nanny", "distributed.worker"])
            cluster.scale(1)
            seen.all_of(1)
            cluster.scale(0)
            seen.none()
        begun = time.time()
        cluster.scale(int(number))
        tell(seen.all_of(int(number), since=begun) - begun)


class Seen:
    """What the scheduler has noted of workers that have come, by its own clock."""

    def __init__(self, address) -> None:
        from distributed import Client

        self._client = Client(address, set_as_default=False)

    def all_of(self, number, since=0.0) -> float:
        """When the last of so many registered."""
        while True:
            events = self._client.get_events("all")
            times = [at for at, event in events if event.get("action") == "add-worker" and at >= since]
            if len(times) == number:
                return max(times)
            time.sleep(0.05)

    def none(self) -> None:
        while self._client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.05)


# Standing by, and again and again


def hold(kind, number) -> None:
    """So many idle workers, until the end of stdin."""
    import trio

    async def program():
        async with opened(kind) as (cluster, address, _):
            seen = await trio.to_thread.run_sync(Seen, address)
            await cluster.launch([f"w-{i}" for i in range(int(number))])
            await trio.to_thread.run_sync(seen.all_of, int(number))
            tell("ready")
            await trio.to_thread.run_sync(sys.stdin.read)

    trio.run(program)


def again(number) -> None:
    """What there is of everything before and after so many starts and stops, one after the other."""
    import trio

    from trio_adaptive.clusters.base import Terms

    async def program(scratch):
        async with opened("warm") as (cluster, _, _):
            tell(held(scratch))
            for i in range(int(number)):
                await cluster.launch([f"w-{i}"])
                while (await cluster.look(refresh=True))[0].state != "registered":
                    await trio.sleep(0.005)
                await cluster.drain(f"w-{i}", Terms())
                if i == 9:  # what is made once has been made
                    tell(held(scratch))
            tell(held(scratch))

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DASK_TEMPORARY_DIRECTORY"] = scratch  # other programs use the usual one as well
        trio.run(program, scratch)


def held(scratch):
    import psutil

    ours = psutil.Process()
    (server,) = [each for each in ours.children() if FORK_SERVER in " ".join(each.cmdline())]
    return {
        "processes": len(ours.children(recursive=True)),
        "files, service": ours.num_fds(),
        "files, fork server": server.num_fds(),
        "memory of the service, MiB": ours.memory_full_info().uss / 2**20,
        "memory of the fork server, MiB": server.memory_full_info().uss / 2**20,
        "shared memory, files": len([*SHARED_MEMORY.iterdir()]),
        "Dask's scratch folders": len([*Path(scratch).rglob("worker-*")]),
    }


@contextlib.asynccontextmanager
async def opened(kind):
    """An empty cluster in which workers can be started in this way, its scheduler's address, and what releases spares."""
    import trio

    from trio_adaptive.clusters.command import command_cluster
    from trio_adaptive.clusters.scheduler import embedded_scheduler

    with template_of(kind) as (template, release):
        async with (
            embedded_scheduler(host=HOST, dashboard_address=None) as scheduler,
            command_cluster(scheduler.address, template) as cluster,
        ):
            while template.warm and not cluster.starts.pids:
                await trio.sleep(0.01)
            yield cluster, scheduler.address, release


@contextlib.contextmanager
def template_of(kind):
    """How the workers of this kind are started, and what releases those that are spare."""
    from trio_adaptive.clusters._fork_server import LATE
    from trio_adaptive.clusters.template import WorkerTemplate, worker_command

    command = worker_command(host=HOST)
    if kind == "nanny":
        command = tuple(argument.replace("--no-nanny", "--nanny") for argument in command)
    if kind != "spare":
        yield WorkerTemplate(command, warm=kind == "warm", startup_timeout=300), None
        return
    python, option, module, *arguments = command
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder) / "gate"
        os.mkfifo(gate)
        command = (python, option, "spare", str(gate), module, *arguments)
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        template = WorkerTemplate(command, env=env, warm=True, preload=(module, *LATE[module]))
        yield template, lambda: gate.open("w").close()


ROLES = {
    "start": start,
    "start-nannies": start_nannies,
    "hold": hold,
    "again": again,
}

if __name__ == "__main__":
    main()
