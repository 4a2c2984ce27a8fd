"""The faults of the matrix with distributed's own ``Adaptive``, over a ``SpecCluster`` of the same worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import distributed
from attrs import frozen
from bad_calls import WORKER
from distributed.deploy.spec import SpecCluster
from distributed.deploy.subprocess import Subprocess, SubprocessScheduler
from real_dask import Counting

from trio_adaptive.clusters.template import worker_command

PATIENCE = 45.0
"""So long it has to have two workers again, in seconds; three times its ``lost-worker-timeout``."""

SIZE = 2


class Worker(Subprocess):
    """A worker process, started as ours are; the next start may go wrong as it is told."""

    folder = Path()
    over = False
    bad_starts: list = []  # noqa: RUF012 - shared by all of them, as a resource manager is

    def __init__(self, scheduler, name=None):
        super().__init__()
        self.scheduler, self.name = scheduler, name

    async def _start(self):
        instead = Worker.bad_starts.pop(0) if Worker.bad_starts else _start_it
        await instead(self)

    async def start_process(self):
        fill = {"address": self.scheduler, "name": self.name}
        command = [part.format(**fill) for part in worker_command()]
        self.process = await asyncio.create_subprocess_exec(
            *("sh", "-c", WORKER, str(Worker.folder / "next start"), *command),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )


async def _start_it(worker):
    await worker.start_process()


async def _raises(_worker):
    raise RuntimeError("quota exceeded")


async def _hangs(_worker):
    while not Worker.over:  # closing the cluster would wait for it as well
        await asyncio.sleep(0.1)
    raise RuntimeError("it is over")


async def _answers_late(worker):
    await worker.start_process()
    await asyncio.sleep(0.8)


async def _starts_and_says_no(worker):
    await worker.start_process()
    raise RuntimeError("connection reset by the resource manager")


@frozen
class Stage:
    """A cluster that adapts itself."""

    cluster: SpecCluster
    client: distributed.Client
    folder: Path

    def pids(self) -> list[int]:
        return [worker.process.pid for _, worker in sorted(self.cluster.workers.items()) if worker.process]

    def kill(self, n: int = 1) -> None:
        for pid in self.pids()[:n]:
            os.kill(pid, signal.SIGKILL)

    def registered(self) -> set[str]:
        """The workers by address; the same as before where the scheduler does not answer."""
        identity = self.client.scheduler.identity
        answer = self.client.sync(identity, n_workers=-1, callback_timeout=1)
        return set(answer["workers"])


def _next_start(mode: str) -> Callable[[Stage], None]:
    def inject(stage: Stage) -> None:
        (stage.folder / "next start").write_text(mode)
        stage.kill()

    return inject


def _bad_start(*instead, kill: int = 1) -> Callable[[Stage], None]:
    def inject(stage: Stage) -> None:
        Worker.bad_starts[:] = instead
        stage.kill(kill)

    return inject


def _freeze_worker(stage: Stage) -> None:
    os.kill(stage.pids()[0], signal.SIGSTOP)


def _freeze_scheduler(stage: Stage) -> None:
    pid = stage.cluster.scheduler.process.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(pid, signal.SIGCONT)


SCHEDULER_STANDS = "the scheduler stands still for 3 s (SIGSTOP)"

INJECTIONS = {
    "a worker is killed (SIGKILL)": _next_start(""),
    "all workers are killed at once": lambda stage: stage.kill(SIZE),
    "a worker is killed, the next one exits at once": _next_start("exit"),
    "a worker is killed, the next one never registers": _next_start("hang"),
    "a worker is killed, the next one registers under another name": _next_start("name"),
    "a worker freezes (SIGSTOP)": _freeze_worker,
    "a worker is killed, the request for another one is refused": _bad_start(_raises),
    "a worker is killed, the request for another one hangs": _bad_start(_hangs),
    "a worker is killed, the request for another one is answered late": _bad_start(_answers_late),
    "a worker is killed, another one is started though the request fails": _bad_start(_starts_and_says_no),
    "all workers are killed, half of the request is done": _bad_start(_start_it, _raises, kill=SIZE),
    SCHEDULER_STANDS: _freeze_scheduler,
}
"""By the names of the faults; it has no call that stands for the look at a cluster."""


@frozen
class Result:
    """What has come of a fault.

    Attributes:
        recovered: seconds until two workers were in service again; None: not within `PATIENCE`.
        again: executions beyond one for each task.
        lost: tasks without a result at the end.
    """

    recovered: float | None
    again: int
    lost: int


@contextmanager
def a_stage(folder: Path):
    Worker.folder, Worker.over, Worker.bad_starts[:] = folder, False, []
    scheduler = {"cls": SubprocessScheduler, "options": {"scheduler_kwargs": SCHEDULER}}
    with (
        SpecCluster({}, scheduler, {"cls": Worker, "options": {}}, silence_logs=50) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        cluster.adapt(minimum=SIZE, maximum=SIZE + 1, interval="200ms", target_duration="1000s")
        client.wait_for_workers(SIZE, timeout=60)
        try:
            yield Stage(cluster, client, folder)
        finally:
            Worker.over = True


SCHEDULER = {"host": "127.0.0.1", "dashboard": False}


def play(name: str, folder: Path, tasks: int, seconds: float) -> Result | None:
    """Let it happen in the middle of work; None where it cannot be played."""
    if name not in INJECTIONS:
        return None
    counting = Counting(folder)
    with a_stage(folder) as stage:
        keys = [f"key-{n}" for n in range(tasks)]
        futures = stage.client.map(counting.task(), keys, [seconds] * tasks, pure=False)
        while len(counting.executions) < SIZE * 2:
            time.sleep(0.01)
        before, at = stage.registered(), time.monotonic()
        INJECTIONS[name](stage)
        recovered = _recovered(stage, before, at, dies=name != SCHEDULER_STANDS)
        end = time.monotonic() + PATIENCE
        while any(future.status == "pending" for future in futures) and time.monotonic() < end:
            time.sleep(0.1)
        done = sum(future.status == "finished" for future in futures)
        executions = counting.executions
        return Result(recovered, sum(executions.values()) - len(executions), tasks - done)


def _recovered(stage: Stage, before: set[str], at: float, *, dies: bool) -> float | None:
    worse = not dies
    while (waited := time.monotonic() - at) < PATIENCE:
        with suppress(TimeoutError, OSError):
            now = stage.registered()
            worse = worse or len(now & before) < SIZE
            if worse and len(now) >= SIZE:
                return waited
        time.sleep(0.05)
    return None
