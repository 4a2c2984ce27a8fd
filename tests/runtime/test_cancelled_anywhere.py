"""Guarantee 6: whichever checkpoint a cancellation comes at, nothing is left in flight and the cluster is consistent.

A short life of a scaler is cancelled in the first round of the event loop, then in the second, and so on until it gets
to its end: by the cancel scope around it, by an exception in its block, and on asyncio by ``Task.cancel``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import contextmanager, suppress

import anyio
import pytest
import trio
from attrs import evolve
from scenes import AT_ONCE, tasks_alive
from trio.testing import MockClock
from virtual_clock import VirtualClockLoop

from trio_adaptive import Adaptive, ScalerStoppedError, adaptive
from trio_adaptive.errors import DrainRefused, LaunchesFailed
from trio_adaptive.testing import FakeCluster

MAXIMUM = 3


class Rounds(trio.abc.Instrument):
    """Counts the rounds of a trio program's loop."""

    on_round: Callable[[int], None] | None = None
    rounds = 0

    def before_io_wait(self, timeout):
        self.rounds += 1
        if self.on_round is not None:
            self.on_round(self.rounds)


def run(backend: str, scene, k: int, how: str) -> bool:
    """Run a scene, and interrupt it in its ``k``-th round; says whether that came before its end."""
    if backend == "trio":
        counter = Rounds()
        options = {"clock": MockClock(autojump_threshold=0), "instruments": [counter]}
    else:
        loop = VirtualClockLoop()
        counter = loop.jumps
        options = {"loop_factory": lambda: loop}
    return anyio.run(interrupted, counter, scene, k, how, backend=backend, backend_options=options)


async def interrupted(counter, scene, k: int, how: str) -> bool:
    cluster = FakeCluster(2, accept=0.1, startup=0.2, drain_time=0.3, stop_time=0.1)
    scaler = Adaptive(
        cluster,
        interval=0.25,
        maximum=MAXIMUM,
        on_exit="close",
        shutdown_timeout=1,
        call_timeout=1,
        **AT_ONCE,
    )
    before = tasks_alive()
    first = counter.rounds
    scope = anyio.CancelScope()
    task = asyncio.ensure_future(scene(cluster, scaler, scope)) if how == "task" else None

    def on_round(number: int) -> None:
        if number == first + k:
            if task is not None:
                task.cancel()
            else:
                scope.cancel()

    counter.on_round = on_round
    try:
        if task is None:
            await scene(cluster, scaler, scope)
            early = scope.cancelled_caught
        else:
            await asyncio.wait([task])
            early = task.cancelled()
            if not early:
                task.result()
    finally:
        counter.on_round = None
    assert tasks_alive() == before
    assert cluster.in_flight == []
    assert cluster.draining == set()
    assert cluster.most <= MAXIMUM
    assert scaler.statistics().stage in {"created", "stopped"}  # created: cancelled before it had begun
    # A second cancellation on asyncio gets through every shield: then nothing is given back any more.
    states = ("leaving",) if how == "task" else ("requested", "registered", "leaving")
    assert cluster.ids(*states) == []
    return early


async def life(cluster, scaler, scope):
    with scope:
        async with anyio.create_task_group() as tasks:
            await tasks.start(scaler.run)
            await scaler.wait_for(2)
            cluster.want(3)
            await scaler.wait_for(3)
            cluster.want(0)
            while cluster.ids():
                await anyio.sleep(0.1)
            cluster.want(2)
            await scaler.wait_for(2)
            scaler.stop()


async def run_alone(cluster, scaler, scope):
    """Nobody but ``run`` itself: a cancellation of its task reaches its clean-up."""
    with scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_it, cluster, scaler)
            await scaler.run()


async def end_it(cluster, scaler):
    with suppress(ScalerStoppedError):  # the cancellation has come first
        await scaler.wait_for(2)
    cluster.want(1)
    await anyio.sleep(0.5)
    scaler.stop()


async def block(cluster, scaler, scope):
    with scope:
        async with adaptive(cluster, settings=scaler.settings) as inner:
            await inner.wait_for(2)
            cluster.want(0)
            while cluster.ids():
                await anyio.sleep(0.1)


async def commanded(cluster, scaler, scope):
    """Every command, and somebody who follows the records."""
    with scope:
        async with adaptive(cluster, settings=scaler.settings) as inner, anyio.create_task_group() as tasks:
            tasks.start_soon(follow, inner)
            inner.request(3, for_=60)
            await inner.wait_for(3)
            inner.set_limits(maximum=2)
            while len(cluster.ids()) > 2:
                await anyio.sleep(0.1)
            inner.hold(1, for_=0.5)
            await anyio.sleep(0.3)
            inner.hold(None)
            inner.pause()
            inner.resume("growing")
            inner.stop()
            await inner.wait_stopped()


async def follow(scaler):
    async for _ in scaler.records():
        pass


async def failing(cluster, scaler, scope):
    """Launches that are refused, that fail and that hang, a look that hangs, a drain that is refused."""
    cluster.fail("launch", "no room")
    cluster.fail_starts(1, "exit code 3")
    cluster.fail("drain", DrainRefused("it has work"))
    settings = evolve(
        scaler.settings, retry_delay=0.1, breaker_failures=1, request_timeout=0.3, startup_timeout=1
    )
    with scope:
        async with adaptive(cluster, settings=settings) as inner:
            try:
                await through_trouble(cluster, inner)
            finally:  # who is refused at the end stays, and that is right
                for call in [*cluster._hanging]:
                    cluster.release(call)
                cluster._failures.clear()


async def through_trouble(cluster, scaler):
    await scaler.wait_for(1)
    cluster.hang("look")
    await anyio.sleep(0.5)
    cluster.release("look")
    cluster.hang("launch")
    cluster.want(3)
    await anyio.sleep(0.5)
    cluster.release("launch")
    await scaler.wait_for(3)
    cluster.want(0)
    while cluster.ids():
        await anyio.sleep(0.1)


async def again(cluster, scaler, scope):
    """Two lifetimes of one scaler, the second one ended by an error of its own."""
    with scope:
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                await tasks.start(scaler.run)
                await scaler.wait_for(2)
                scaler.stop()
        cluster.fail("launch", "no room", times=99)
        with suppress_group(LaunchesFailed):
            async with adaptive(
                cluster, settings=evolve(scaler.settings, breaker_failures=1, on_breaker="end")
            ):
                await anyio.sleep_forever()


@contextmanager
def suppress_group(kind):
    try:
        yield
    except BaseExceptionGroup as group:
        _, rest = group.split(kind)
        if rest is not None:
            raise rest from None


@pytest.mark.parametrize(
    ("backend", "how"),
    [("trio", "scope"), ("asyncio", "scope"), ("asyncio", "task")],
    ids=["trio", "asyncio", "task"],
)
@pytest.mark.parametrize("scene", [life, run_alone, block, commanded, failing, again])
def test_cancelled_in_any_round(scene, backend, how):
    k = 1
    while run(backend, scene, k, how):
        k += 1
    assert k > 30  # it was a life, and has been cancelled all the way through
