"""What the tests of the runtime share: a scaler over a fake cluster, and waiting on a virtual clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import trio

from trio_adaptive import Adaptive, adaptive

LIMIT = 1e4
"""Virtual seconds: whoever waits for ever fails at once."""

AT_ONCE = {"wait_count": 1, "idle_timeout": 0}
"""Gives units back at the first tick that finds them superfluous."""


@asynccontextmanager
async def running(cluster, **options):
    """A scaler that adapts, as long as the block lasts."""
    with anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options) as scaler:
            yield scaler


@asynccontextmanager
async def started(scaler: Adaptive):
    """A given scaler, as long as the block lasts."""
    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            await tasks.start(scaler.run)
            yield scaler
            scaler.stop()


async def until(condition) -> float:
    """Wait until it holds; returns when that was."""
    with anyio.fail_after(LIMIT):
        while not condition():
            await anyio.sleep(0.005)
    return anyio.current_time()


async def at(time: float) -> None:
    """Wait until this time; what is due at the same moment has happened by then."""
    await anyio.sleep_until(time)
    for _ in range(50):
        await anyio.lowlevel.checkpoint()


def outcomes(scaler, action):
    """How the actions of a kind have ended, oldest first."""
    ends = [record.outcome for record in scaler.history if record.outcome is not None]
    return [outcome for outcome in ends if outcome.action == action]


def kinds(scaler):
    return [record.kind for record in scaler.history]


def tasks_alive() -> set[object]:
    """Every task of the event loop, this one and the loop's own included."""
    if not trio.lowlevel.in_trio_run():
        return set(asyncio.all_tasks())
    found, waiting = set(), [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        found.add(task)
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found
