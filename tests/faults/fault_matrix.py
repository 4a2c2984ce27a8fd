"""Faults on real processes, one after the other: what comes of each, how long it takes, and what is lost.

``python tests/faults/fault_matrix.py`` runs them all and writes the table into docs/explanation/reliability.md.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import distributed
from attrs import frozen

sys.path.append(str(Path(__file__).parents[1]))  # also where it is run as a script

import upstream
from bad_calls import WORKER, answers_late, half, hangs, once, raises, starts_and_says_no
from figures import write_figures
from real_dask import Counting, a_client

from trio_adaptive import Adaptive, adaptive
from trio_adaptive.clusters.command import CommandCluster, command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import Launch

SIZE = 2
TASKS = 60
SECONDS = 0.1
LIMIT = 120.0

SCHEDULER = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"}
"""A part of its environment: how long a worker may say nothing."""

OPTIONS = {
    "minimum": SIZE,
    "maximum": SIZE + 1,
    "interval": 0.2,
    "retry_delay": 0.2,
    "call_timeout": 1,
    "request_timeout": 1,
    "startup_timeout": 12,
    "target_duration": 1000,
}


@frozen
class World:
    """What there is when a fault comes: two workers with work for some seconds."""

    scheduler: int
    cluster: CommandCluster
    scaler: Adaptive
    next_start: Path

    def victim(self) -> int:
        return next(iter(self.cluster.pids.values()))

    def kill_one(self) -> None:
        os.kill(self.victim(), signal.SIGKILL)


Inject = Callable[[World], Awaitable[None]]


@frozen
class Fault:
    """One row.

    Attributes:
        name: what happens, in words.
        inject: makes it happen.
        seen: part of what the scaler says of it; empty where it need not say anything.
        kills: whether workers die, so that what they had done or begun has to be done again.
    """

    name: str
    inject: Inject
    seen: str = ""
    kills: bool = True


def at_next_start(mode: str) -> Inject:
    async def inject(world: World) -> None:
        world.next_start.write_text(mode)
        world.kill_one()

    return inject


def at_next_launch(instead) -> Inject:
    async def inject(world: World) -> None:
        once(world.cluster, "launch", instead)
        world.kill_one()

    return inject


async def kill_all(world: World) -> None:
    for pid in world.cluster.pids.values():
        os.kill(pid, signal.SIGKILL)


async def kill_all_and_start_half(world: World) -> None:
    once(world.cluster, "launch", half)
    await kill_all(world)


async def freeze_worker(world: World) -> None:
    os.kill(world.victim(), signal.SIGSTOP)


async def freeze_scheduler(world: World) -> None:
    os.kill(world.scheduler, signal.SIGSTOP)
    await anyio.sleep(3)
    os.kill(world.scheduler, signal.SIGCONT)


async def look_hangs(world: World) -> None:
    once(world.cluster, "look", hangs)


OTHER_NAME = "a worker is killed, the next one registers under another name"
"""It counts as a stranger, and the process as one that has not registered: which is ended, with all that it has done."""

FAULTS = (
    Fault("a worker is killed (SIGKILL)", at_next_start("")),
    Fault("all workers are killed at once", kill_all),
    Fault("a worker is killed, the next one exits at once", at_next_start("exit"), "no licence today"),
    Fault("a worker is killed, the next one never registers", at_next_start("hang"), "register within 12 s"),
    Fault(OTHER_NAME, at_next_start("name")),
    Fault("a worker freezes (SIGSTOP)", freeze_worker),
    Fault(
        "a worker is killed, the request for another one is refused", at_next_launch(raises), "quota exceeded"
    ),
    Fault("a worker is killed, the request for another one hangs", at_next_launch(hangs), "within 1 s"),
    Fault("a worker is killed, the request for another one is answered late", at_next_launch(answers_late)),
    Fault(
        "a worker is killed, another one is started though the request fails",
        at_next_launch(starts_and_says_no),
        "connection reset",
    ),
    Fault("all workers are killed, half of the request is done", kill_all_and_start_half, "only 1 of 2"),
    Fault("the scheduler stands still for 3 s (SIGSTOP)", freeze_scheduler, "answer within 1 s", kills=False),
    Fault("a look at the cluster hangs", look_hangs, "answer within 1 s", kills=False),
)


@frozen
class Result:
    """What has come of a fault.

    Attributes:
        recovered: seconds until two workers are in service again.
        again: executions beyond one for each task.
        begun: executions before the fault.
        lost: tasks without a result.
        launched: units that were asked for after it.
        most: the most units that existed at one look.
        said: all that the scaler had to say of what went wrong.
    """

    recovered: float
    again: int
    begun: int
    lost: int
    launched: int
    most: int
    said: str


@asynccontextmanager
async def a_world(folder: Path):
    next_start = folder / "next start"
    command = ("sh", "-c", WORKER, str(next_start), *worker_command())
    env = os.environ | SCHEDULER
    async with (
        embedded_scheduler(dashboard_address=None, env=env) as scheduler,
        command_cluster(scheduler.address, WorkerTemplate(command)) as cluster,
        a_client(scheduler.address) as client,
        adaptive(cluster, log_length=10_000, **OPTIONS) as scaler,
    ):
        await scaler.wait_for(SIZE)
        yield World(scheduler.process.pid, cluster, scaler, next_start), client


async def run(fault: Fault, folder: Path) -> Result:
    """Let it happen while there is work, and see to the end of that."""
    counting = Counting(folder)
    with anyio.fail_after(LIMIT):
        async with a_world(folder) as (world, client):
            work, numbers = counting.task(), range(TASKS)
            futures = client.map(work, [f"key-{n}" for n in numbers], [SECONDS] * TASKS, pure=False)
            await counting.wait(SIZE * 2)
            at, begun = anyio.current_time(), sum(counting.executions.values())
            await fault.inject(world)
            await mended(world, fault, at)
            recovered = anyio.current_time() - at
            done = await gathered(client, futures)
            return Result(
                recovered,
                sum(counting.executions.values()) - len(counting.executions),
                begun,
                TASKS - done,
                launched(world, at),
                max(counts(record) for record in world.scaler.history),
                said(world),
            )


async def mended(world: World, fault: Fault, at: float) -> None:
    """Wait until it has been noticed, where it can be, and two workers are in service again."""
    patience = math.inf if fault.kills else at + 4
    worse = False
    while True:
        await world.scaler._life.history.next_record()
        record = world.scaler.history[-1]
        if record.at < at:
            continue
        healthy = record.kind == "sample" and record.counts.observed >= SIZE
        worse = worse or not healthy
        if healthy and (worse or record.at > patience) and record.counts.plan == SIZE:
            return


async def gathered(client: distributed.Client, futures) -> int:
    """How many of them have a result."""
    gather = partial(client.gather, futures, errors="skip")
    return len(await anyio.to_thread.run_sync(gather, abandon_on_cancel=True))


def launched(world: World, at: float) -> int:
    decisions = [record.decision for record in world.scaler.history if record.decision and record.at >= at]
    return sum(len(action.units) for d in decisions for action in d.actions if isinstance(action, Launch))


def counts(record) -> int:
    return record.counts.plan + record.counts.draining


def said(world: World) -> str:
    records = world.scaler.history
    notes = [record.decision.note for record in records if record.decision is not None]
    return "\n".join([*notes, *(r.error for r in records), *(r.outcome.detail for r in records if r.outcome)])


def as_expected(fault: Fault, result: Result) -> list[str]:
    """What is not as it should be."""
    wrong = []
    if result.lost:
        wrong.append(f"{result.lost} results are missing")
    if result.again and not fault.kills:
        wrong.append(f"{result.again} executions too many")
    if result.again > result.begun + SIZE and fault.name != OTHER_NAME:
        wrong.append(f"{result.again} executions too many, though only {result.begun} were before")
    if result.most > OPTIONS["maximum"]:
        wrong.append(f"there were {result.most} units")
    if fault.seen not in result.said:
        wrong.append(f"nothing was said of {fault.seen!r}, but {result.said!r}")
    return wrong


def table(results: list[tuple[Fault, Result, upstream.Result | None]]) -> str:
    ours, theirs = (
        "two workers again after | executed again | results lost",
        "upstream: again after | again | lost",
    )
    lines = [f"| fault | what is said | {ours} | {theirs} |", "|---|---|---|---|---|---|---|---|"]
    for fault, result, other in results:
        said = f"... {fault.seen}" if fault.seen else "the worker is lost" if fault.kills else "-"
        cost = f"{result.recovered:.1f} s | {result.again or '-'} | {result.lost or '-'}"
        lines.append(f"| {fault.name} | {said} | {cost} | {_upstream(other)} |")
    return "\n".join(lines)


def _upstream(other: upstream.Result | None) -> str:
    if other is None:
        return "has no such call | | "
    recovered = f"not in {upstream.PATIENCE:.0f} s" if other.recovered is None else f"{other.recovered:.1f} s"
    return f"{recovered} | {other.again or '-'} | {other.lost or '-'}"


async def ours() -> list[Result]:
    results = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            result = await run(fault, Path(folder))
        results.append(result)
        _say("; ".join([f"{fault.name}: {result.recovered:.1f} s", *as_expected(fault, result)]))
    return results


def theirs() -> list[upstream.Result | None]:
    os.environ |= SCHEDULER
    results = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            results.append(upstream.play(fault.name, Path(folder), TASKS, SECONDS))
        _say(f"upstream: {fault.name}: {results[-1]}")
    return results


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    mine = anyio.run(ours, backend="trio")
    write_figures("faults", table(list(zip(FAULTS, mine, theirs(), strict=True))))


if __name__ == "__main__":
    main()
