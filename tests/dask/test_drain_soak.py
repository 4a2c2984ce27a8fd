"""Random work on a cluster whose size is driven up and down at random: each task is executed once, and nothing is lost.

``TRIO_ADAPTIVE_SOAK=300`` goes on for so many seconds for each kind of cluster, ``TRIO_ADAPTIVE_SOAK_SEED`` repeats a
round that has failed.
"""

from __future__ import annotations

import os
import random
import secrets
import time

import anyio
import anyio.to_thread
import pytest
from real_dask import LIMIT, Counting, a_client, until
from soak_kit import MOST, Operator, User, Watcher, any_scenery

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

SECONDS = float(os.environ.get("TRIO_ADAPTIVE_SOAK", "0"))
"""How long to go on, round after round; one round in any case."""

ROUND = 10.0 if SECONDS else 3.0
"""Seconds for which there is new work."""

SEED = os.environ.get("TRIO_ADAPTIVE_SOAK_SEED", "")
"""Of the first round."""

RESTLESS = {
    "interval": 0.05,
    "min_interval": 0.01,
    "wait_count": 1,
    "idle_timeout": 0,
    "target_duration": 0.3,
}
"""Settings with which units are given back at every occasion."""

KINDS = {
    "processes, probe": ("trio", {"processes": True, "probe": True}),
    "threads, probe": ("asyncio", {"processes": False, "probe": True}),
    "processes, stock": ("asyncio", {"processes": True, "probe": False}),
    "threads, stock": ("trio", {"processes": False, "probe": False}),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def anyio_backend(kind):
    return KINDS[kind][0]


async def test_every_task_is_executed_once_whatever_happens_to_the_size(kind, tmp_path, record_property):
    end = time.monotonic() + SECONDS
    for i in range(10_000):
        seed = SEED if SEED and i == 0 else secrets.token_hex(4)
        (tmp_path / seed).mkdir()
        print(f"TRIO_ADAPTIVE_SOAK_SEED={seed}")  # noqa: T201 - shown when it fails
        figures = await a_round(seed, KINDS[kind][1], Counting(tmp_path / seed))
        record_property(seed, figures)
        if SECONDS:
            print(figures, flush=True)  # noqa: T201 - somebody watches it for minutes
        if time.monotonic() >= end:
            break


async def a_round(seed, options, counting):
    """Returns how much of what there was."""
    chance = random.Random(seed)
    scenery = any_scenery(chance, **options)
    print(scenery)  # noqa: T201 - shown when it fails
    with anyio.fail_after(ROUND + 4 * LIMIT):
        async with scenery.opened() as (cluster, address), a_client(address) as client:
            user = User(random.Random(f"{seed} user"), client, counting)
            async with adaptive(cluster, maximum=MOST, log_length=1_000_000, **RESTLESS) as scaler:
                await drive(seed, user, scaler, patience=3.0 if scenery.processes else 0.3)
                scaler.set_limits(0, MOST)
                scaler.hold(None)
                await check_results(client, user.wanted, counting, foresight=options["probe"])
                await until_landed(scaler)
                assert await on_scheduler(client, fenced) == []
                await check_data(client, user.wanted)
            await check_left_behind(client)
            watcher = Watcher(0, MOST)
            for record in scaler.history:
                watcher.see(record)
            assert watcher.wrong == []
            wanted = user.wanted
            return {
                "tasks": len(wanted.results),
                "executions": sum(counting.executions.values()),
                "keys": len(wanted.data),
                "actors": wanted.actors,
                "drains": watcher.drains,
            }


async def drive(seed, user, scaler, patience):
    """Have everything happen at once, for a while."""
    operator = Operator(random.Random(f"{seed} operator"), scaler, patience)
    with anyio.move_on_after(ROUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(user.run)
            tasks.start_soon(operator.run)


async def until_landed(scaler):
    """Wait until nobody is on the way out."""
    scaler.pause("shrinking")

    async def landed():
        return scaler._life._parts is None or not scaler._life._parts.actions._drains

    await until(landed)


async def check_results(client, wanted, counting, *, foresight):
    for name in await unreachable(client, wanted, foresight=foresight):
        del wanted.results[name], wanted.futures[name]
    try:
        with anyio.fail_after(LIMIT):
            results = await anyio.to_thread.run_sync(client.gather, wanted.futures, abandon_on_cancel=True)
    except TimeoutError:
        pending = [name for name, future in wanted.futures.items() if not future.done()]
        told = await on_scheduler(client, story, pending[:5])
        raise AssertionError(f"{len(pending)} tasks never end: {told}") from None
    assert results == {name: name for name in wanted.results}
    twice = {name: n for name, n in counting.executions.items() if n != 1}
    assert twice == {}, await on_scheduler(client, story, list(twice))
    assert counting.executions == dict.fromkeys(wanted.results, 1)
    assert await on_scheduler(client, suspicious) == 0


async def unreachable(client, wanted, *, foresight):
    """Tasks for one worker and no other, which has gone.

    With ``foresight`` only where it had gone before the scheduler heard of them: the probe gives a worker back for
    whose sake a task has come, and stock handlers do not tell of such tasks.
    """

    async def settled():
        return all(future.done() or name in wanted.strict for name, future in list(wanted.futures.items()))

    with anyio.move_on_after(LIMIT):
        await until(settled)
    pending = {n: a for n, a in wanted.strict.items() if not wanted.futures[n].done()}
    return await on_scheduler(client, too_late, pending, foresight) if pending else []


async def check_data(client, wanted):
    futures = [future for future, _ in wanted.data]
    with anyio.fail_after(LIMIT):
        values = await anyio.to_thread.run_sync(client.gather, futures, abandon_on_cancel=True)
    assert values == [value for _, value in wanted.data]


async def check_left_behind(client):
    left = []
    with anyio.move_on_after(LIMIT):
        while left := await on_scheduler(client, left_behind):
            await anyio.sleep(0.1)  # the scheduler's own retirements are tidied up by its next round
    assert left == []


async def on_scheduler(client, function, *arguments):
    """What a function says of the scheduler; it is sent by value."""
    return await anyio.to_thread.run_sync(client.run_on_scheduler, function, *arguments)


def fenced(dask_scheduler):
    probe = dask_scheduler.plugins.get("trio-adaptive")
    by_status = [ws.address for ws in dask_scheduler.workers.values() if ws.status.name != "running"]
    return by_status + ([] if probe is None else list(probe.fences.fenced))


def left_behind(dask_scheduler):
    """Workers out of service, handlers, plugins and policies that are ours."""
    workers = [ws.address for ws in dask_scheduler.workers.values() if ws.status.name != "running"]
    handlers = [name for name in dask_scheduler.handlers if name.startswith("trio_adaptive")]
    streams = [
        name
        for name, handler in dask_scheduler.stream_handlers.items()
        if "trio_adaptive" in getattr(handler, "__module__", "")
    ]
    plugins = [name for name in dask_scheduler.plugins if "trio" in str(name)]
    manager = dask_scheduler.extensions.get("amm")
    policies = [] if manager is None else [str(p) for p in manager.policies if "Retire" in str(p)]
    timers = [name for name in dask_scheduler.periodic_callbacks if name.startswith("amm")]
    return [*workers, *handlers, *streams, *plugins, *policies, *timers[1:]]


def suspicious(dask_scheduler):
    return sum(task.suspicious for task in dask_scheduler.tasks.values())


def story(keys, dask_scheduler):
    return {key: dask_scheduler.story(key) for key in keys}


def too_late(pending, foresight, dask_scheduler):
    """Those of the tasks whose worker has gone; with ``foresight`` before they came."""
    ends = {
        event["worker"]: at
        for at, event in dask_scheduler.get_events("all")
        if isinstance(event, dict) and event.get("action") == "remove-worker"
    }

    def came(key):
        return min(line[-1] for line in dask_scheduler.story(key))

    gone = {key: ends[address] for key, address in pending.items() if address in ends}
    return [key for key, end in gone.items() if not foresight or end <= came(key)]


for each in (fenced, left_behind, suspicious, story, too_late):
    each.__module__ = "__main__"  # so that they are sent by value
