"""Awaiting a coroutine that lives on an asyncio event loop: from trio, from asyncio, from the same loop or another.

distributed's objects belong to one asyncio loop, and its coroutines must run there as tasks of their own. Two traps
shape this file:

- anyio delivers a cancellation again and again until the task gives in; distributed's clean-up swallows or breaks on
  the second one. So nothing of distributed is ever awaited inside an anyio cancel scope: it runs in its own asyncio
  task, which is cancelled exactly once.
- A stopped loop or scheduler never answers, not even to a cancellation. So a cancelled task is waited for only during
  a grace period, then abandoned and counted.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
import trio

T = TypeVar("T")
Factory = Callable[[], Coroutine[Any, Any, T]]

CANCEL_GRACE = 1.0
"""How long a cancelled task on the other loop may take to end before it is abandoned, in seconds."""


class LoopCaller:
    """Runs coroutines on one asyncio loop for callers on any loop.

    Attributes:
        abandoned: how many cancelled calls did not end within the grace period.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.abandoned = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which the coroutines run."""
        return self._loop

    async def call(self, factory: Factory[T]) -> T:
        """Run ``factory()`` as a task on the loop and return its result, or raise its error.

        The factory is called on the loop. Cancelling the caller cancels the task once and waits for its end for
        `CANCEL_GRACE` seconds. Deadlines are the caller's business.

        Raises:
            RuntimeError: the loop is closed.
        """
        errand = _Errand(self._loop, factory, home_post())
        # In a context of its own: ours says that trio runs here, and a library that asks would believe it.
        self._loop.call_soon_threadsafe(errand.start, context=contextvars.Context())
        try:
            await errand.done.wait()
        except BaseException:
            await self._call_off(errand)
            raise
        return errand.result()

    async def run(self, function: Callable[[], T]) -> T:
        """Call a plain function on the loop's thread and return its result."""

        async def calling() -> T:
            return function()

        return await self.call(calling)

    async def _call_off(self, errand: _Errand[Any]) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_GRACE):
            try:
                self._loop.call_soon_threadsafe(errand.cancel)
            except RuntimeError:  # the loop has been closed, and its tasks with it
                return
            await errand.done.wait()
            return
        self.abandoned += 1


class _Errand(Generic[T]):
    """One task on the loop, and the event that tells its caller at home."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Factory[T],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self.done = anyio.Event()
        self._loop = loop
        self._factory = factory
        self._post = post
        self._task: asyncio.Task[T] | None = None
        self._called_off = False

    def start(self) -> None:
        if self._called_off:
            self._tell()
            return
        self._task = self._loop.create_task(self._factory())
        self._task.add_done_callback(lambda _: self._tell())

    def cancel(self) -> None:
        self._called_off = True
        if self._task is not None:
            self._task.cancel()

    def _tell(self) -> None:
        if self._task is not None and not self._task.cancelled():
            self._task.exception()  # marked as seen: a caller that has gone away will not come to fetch it
        try:
            self._post(self.done.set)
        except RuntimeError:  # the caller's loop has ended (trio.RunFinishedError is one of these)
            return

    def result(self) -> T:
        if self._task is None or self._task.cancelled():
            raise ConnectionAbortedError("the event loop cancelled the call")
        return self._task.result()


def home_post() -> Callable[[Callable[[], None]], None]:
    """A thread-safe way to run a function on the caller's own loop."""
    if trio.lowlevel.in_trio_run():
        return trio.lowlevel.current_trio_token().run_sync_soon
    return _posting_to(asyncio.get_running_loop())


def _posting_to(loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[], None]], None]:
    def post(function: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(function)

    return post


@asynccontextmanager
async def asyncio_loop() -> AsyncGenerator[LoopCaller]:
    """An asyncio loop to call on: the caller's own when it runs on asyncio, one in a thread when on trio.

    The thread's loop ends with the context; what still runs on it is cancelled then.
    """
    if not trio.lowlevel.in_trio_run():
        yield LoopCaller(asyncio.get_running_loop())
        return
    opening = anyio.from_thread.start_blocking_portal("asyncio")
    portal = await anyio.to_thread.run_sync(opening.__enter__)
    try:
        yield LoopCaller(await anyio.to_thread.run_sync(portal.call, asyncio.get_running_loop))
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_GRACE):
            await anyio.to_thread.run_sync(opening.__exit__, None, None, None, abandon_on_cancel=True)
