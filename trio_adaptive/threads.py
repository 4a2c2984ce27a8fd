"""Calls in threads that nobody has to wait for: not the caller who gives up, and not the end of the program.

Trio's threads are like that. Those of anyio on asyncio are waited for when the interpreter ends, so that a call that
hangs for ever would keep the process for ever: there, each call gets a daemon thread of its own.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], limiter: anyio.CapacityLimiter) -> T:
    """Call it in a thread; cancelled, it leaves at once, and the thread goes on alone.

    Args:
        function: what is called.
        limiter: for how many at a time; on asyncio those that nobody waits for any more do not count.
    """
    if _is_on_trio():
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter)
    import asyncio  # noqa: PLC0415 - it is there by now, and nobody else waits for it

    async with limiter:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer: list[T] = []
        errors: list[BaseException] = []
        inside = partial(contextvars.copy_context().run, function)
        work = partial(_work, inside, answer, errors, ended)
        threading.Thread(target=work, name="from trio_adaptive", daemon=True).start()
        await ended
    for error in errors:
        raise error
    return answer[0]


def _is_on_trio() -> bool:
    """Who runs on trio has imported it; nobody else is to wait for that."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def _work(
    function: Callable[[], T], answer: list[T], errors: list[BaseException], ended: asyncio.Future[None]
) -> None:
    try:
        answer.append(function())
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
        errors.append(error)
    with suppress(RuntimeError):  # the loop has been closed: nobody waits
        ended.get_loop().call_soon_threadsafe(_end, ended)


def _end(ended: asyncio.Future[None]) -> None:
    if not ended.done():  # the caller has given up
        ended.set_result(None)
