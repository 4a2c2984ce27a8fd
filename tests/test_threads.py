"""Calls in threads: what they answer and raise, and that one which hangs keeps neither its caller nor the process."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
from functools import partial

import anyio
import pytest

from trio_adaptive.threads import run_in_thread

pytestmark = pytest.mark.anyio

LIMIT = 30.0

COLOUR = contextvars.ContextVar("COLOUR", default="none")

HANGS = """
import threading, anyio
from trio_adaptive import adaptive

class Hanging:
    workers = ()
    def target(self):
        return 1
    def scale(self, n):
        print("called", flush=True)
        threading.Event().wait()

async def main():
    with anyio.move_on_after(60):
        async with adaptive(Hanging(), interval=0.02, request_timeout=0.1, shutdown_timeout=0.1) as scaler:
            while "within 0.1 s" not in scaler.statistics().last_error:
                await anyio.sleep(0.01)
    print("over", flush=True)

anyio.run(main, backend="{}")
"""


@pytest.fixture
def limiter():
    return anyio.CapacityLimiter(1)


async def test_it_returns_what_the_function_returns(limiter):
    assert await run_in_thread(threading.get_ident, limiter) != threading.get_ident()
    assert limiter.borrowed_tokens == 0


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
async def test_it_raises_what_the_function_raises(limiter, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as caught:
        await run_in_thread(fail, limiter)
    assert caught.value is error


async def test_the_function_sees_the_context_of_the_caller(limiter):
    COLOUR.set("green")
    assert await run_in_thread(COLOUR.get, limiter) == "green"


async def test_a_caller_who_gives_up_leaves_at_once_and_the_thread_goes_on(limiter):
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    def block():
        begun.set()
        go.wait(LIMIT)
        over.set()

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_in_thread, block, limiter)
            while not begun.is_set():
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        assert not over.is_set()
        go.set()
        while not over.is_set():
            await anyio.sleep(0.01)
        assert await run_in_thread(partial(int, "3"), limiter) == 3


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_that_hangs_for_ever_does_not_keep_the_process(backend):
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(backend)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    assert done.stdout.split()[-1] == "over"
    assert "called" in done.stdout
