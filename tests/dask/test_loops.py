"""Calls from one event loop to another: the caller's own, one in a thread, from trio and from asyncio."""

from __future__ import annotations

import asyncio
import sys
import threading

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio
from leftovers import descriptors

from trio_adaptive.dask import loops
from trio_adaptive.dask.loops import LoopCaller, asyncio_loop, home_post

pytestmark = pytest.mark.anyio

LIMIT = 20.0


@pytest.fixture(params=["the loop at hand", "a loop in a thread"])
async def caller(request, anyio_backend):
    if request.param == "the loop at hand":  # on trio this one is in a thread as well
        async with asyncio_loop() as caller:
            yield caller
    else:
        with anyio.from_thread.start_blocking_portal("asyncio") as portal:
            yield LoopCaller(portal.call(asyncio.get_running_loop))


@pytest.fixture
def release(caller):
    """Lets a task end that is deaf to everything else, at the latest before its loop is closed."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(loops, "CANCEL_GRACE", 0.05)


async def test_a_call_returns_the_result_and_runs_on_that_loop(caller):
    async def where():
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    with anyio.fail_after(LIMIT):
        assert await caller.call(where) is caller.loop
        assert await caller.run(asyncio.get_running_loop) is caller.loop


async def test_a_call_raises_the_error_itself(caller):
    error = LookupError("not here")

    async def failing():
        await asyncio.sleep(0)
        raise error

    with anyio.fail_after(LIMIT), pytest.raises(LookupError) as caught:
        await caller.call(failing)
    assert caught.value is error


async def test_calls_at_the_same_time_get_their_own_results(caller):
    results = {}
    together = {}

    async def remote(i):
        together[i] = True
        while len(together) < 20:
            await asyncio.sleep(0.001)
        return i

    async def one(i):
        results[i] = await caller.call(lambda: remote(i))

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            for i in range(20):
                tasks.start_soon(one, i)
    assert results == {i: i for i in range(20)}


async def test_cancelling_the_caller_cancels_the_task_once_and_awaits_its_clean_up(caller):
    post = home_post()
    seen = []

    async def remote():
        post(scope.cancel)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            for _ in range(20):  # time enough for a second cancellation to get here
                try:
                    await asyncio.sleep(0.005)
                except asyncio.CancelledError:
                    seen.append("cancelled")
            seen.append("clean")
            raise

    with anyio.fail_after(LIMIT), anyio.CancelScope() as scope:
        await caller.call(remote)
    assert scope.cancelled_caught
    assert seen == ["cancelled", "clean"]
    assert caller.abandoned == 0


async def test_a_call_that_is_cancelled_from_the_start_may_not_run_but_leaves_nothing(caller):
    begun = []

    async def remote():
        begun.append(True)
        await asyncio.sleep(60)

    with anyio.fail_after(LIMIT):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await caller.call(remote)
        assert scope.cancelled_caught
        assert caller.abandoned == 0
        assert not [task for task in await tasks_of(caller) if "remote" in repr(task.get_coro())]


async def test_a_task_that_swallows_its_cancellation_is_abandoned_and_counted(caller, release, short_grace):
    post = home_post()
    ended = anyio.Event()

    async def deaf():
        post(scope.cancel)
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        post(ended.set)
        raise LookupError("nobody is there to see this")

    with anyio.fail_after(LIMIT):
        with anyio.CancelScope() as scope:
            await caller.call(deaf)
        assert scope.cancelled_caught
        assert caller.abandoned == 1
        release.set()
        await ended.wait()
        # The next calls are served as ever.
        assert await caller.run(lambda: "still here") == "still here"
    assert caller.abandoned == 1


async def test_a_task_may_outlive_the_loop_of_its_caller(caller, release, short_grace, anyio_backend_name):
    complaints = []
    ended = threading.Event()

    async def deaf():
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        # One turn of the loop later the callbacks of this task have run.
        asyncio.get_running_loop().call_later(0.01, ended.set)

    async def short_life():
        with anyio.move_on_after(0.1):
            await caller.call(deaf)

    def hear(complain):
        before = caller.loop.get_exception_handler()
        caller.loop.set_exception_handler(complain)
        return before

    with anyio.fail_after(LIMIT):
        before = await caller.run(lambda: hear(lambda _loop, context: complaints.append(context)))
        await anyio.to_thread.run_sync(lambda: anyio.run(short_life, backend=anyio_backend_name))
        release.set()
        await anyio.to_thread.run_sync(ended.wait, LIMIT)
        await caller.run(lambda: hear(before))
    assert caller.abandoned == 1
    assert complaints == []


async def test_a_deadline_holds_against_a_loop_that_has_stopped(short_grace):
    called = []

    async def remote():
        called.append(True)

    loop = asyncio.new_event_loop()  # which nobody runs
    caller = LoopCaller(loop)
    try:
        with anyio.fail_after(LIMIT):
            with pytest.raises(TimeoutError), anyio.fail_after(0.05):
                await caller.call(remote)
            assert caller.abandoned == 1
    finally:
        loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        await caller.call(remote)
    assert called == []


async def test_a_task_cancelled_by_its_own_loop_is_an_error_and_no_cancellation_here(caller):
    async def remote():
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    with anyio.fail_after(LIMIT), pytest.raises(ConnectionAbortedError):
        await caller.call(remote)


async def test_on_asyncio_the_running_loop_serves_and_no_thread_is_made():
    if trio.lowlevel.in_trio_run():
        pytest.skip("on trio a thread is needed")
    threads = threading.active_count()
    async with asyncio_loop() as caller:
        assert caller.loop is asyncio.get_running_loop()
        assert threading.active_count() == threads


async def test_on_trio_leaving_ends_the_thread_and_what_still_runs_on_its_loop():
    if not trio.lowlevel.in_trio_run():
        pytest.skip("on asyncio the running loop serves")
    ended = threading.Event()
    kept = []

    async def staying():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def starting():
        kept.append(asyncio.ensure_future(staying()))
        await asyncio.sleep(0)

    with anyio.fail_after(LIMIT):
        async with asyncio_loop() as caller:
            await caller.call(starting)
            assert not ended.is_set()
    assert ended.is_set()
    assert caller.loop.is_closed()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_a_hundred_cancelled_calls_leave_no_thread_no_descriptor_and_no_task(caller):
    post = home_post()

    async def one():
        async def remote():
            post(scope.cancel)
            await asyncio.sleep(60)

        with anyio.CancelScope() as scope:
            await caller.call(remote)
        assert scope.cancelled_caught

    async def footprint():
        return threading.active_count(), len(descriptors()), len(await tasks_of(caller))

    with anyio.fail_after(LIMIT):
        await one()
        before = await footprint()
        for _ in range(100):
            await one()
        assert await footprint() == before
    assert caller.abandoned == 0


async def tasks_of(caller):
    return await caller.run(lambda: asyncio.all_tasks(caller.loop))


async def test_what_runs_on_the_loop_does_not_take_it_for_ours():
    async def locked():
        async with anyio.Lock():  # asks which event loop runs
            return True

    async with asyncio_loop() as caller:
        assert await caller.call(locked)
