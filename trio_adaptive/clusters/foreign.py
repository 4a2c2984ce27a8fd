"""Calling what a user wrote: plain or async, blocking or not, with errors of any kind."""

from __future__ import annotations

import inspect
import logging
import math
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
from attrs import define, field

from trio_adaptive.errors import CallTimedOut, ClusterError
from trio_adaptive.threads import run_in_thread

logger = logging.getLogger("trio_adaptive")

THREADS = 4
"""So many calls of one kind may hang for ever, each in its thread: then there are no others. Another kind goes on."""


@contextmanager
def foreign_errors(what: str) -> Generator[None]:
    """Turn whatever a user's code raises into a `ClusterError` that keeps it as its cause."""
    try:
        yield
    except ClusterError:
        raise
    except TimeoutError as error:
        raise CallTimedOut(f"{what} timed out: {error}") from error
    except Exception as error:
        raise ClusterError(f"{what} raised {_words(error)}") from error


def _words(error: BaseException) -> str:
    words = f"{type(error).__name__}: {error}"
    cause = error.__cause__
    # A wrapper such as "the worker failed to start" does not tell what is wrong.
    return words if cause is None else f"{words} (from {type(cause).__name__}: {cause})"


@define(eq=False)
class Threads:
    """The threads of one cluster's blocking calls: those at work, and those that nobody waits for any more."""

    _limiter: anyio.CapacityLimiter | None = None
    _given_up: dict[str, list[threading.Event]] = field(factory=dict[str, list[threading.Event]])

    async def call(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it in a thread; where the caller gives up, the thread goes on alone.

        Raises:
            ClusterError: too many of the calls before have never come to an end.
        """
        hanging = [over for over in self._given_up.get(what, ()) if not over.is_set()]
        self._given_up[what] = hanging
        if len(hanging) >= THREADS:
            raise ClusterError(f"{what} was not called: {THREADS} calls before it have not ended yet")
        if self._limiter is None:  # only inside of an event loop
            # The default one is shared with the whole program.
            self._limiter = anyio.CapacityLimiter(math.inf)
        begun, over = threading.Event(), threading.Event()

        def call() -> tuple[Any]:
            begun.set()
            try:
                return (function(*arguments),)  # in a tuple: trio takes a bare coroutine here for a mistake
            finally:
                over.set()

        try:
            (result,) = await run_in_thread(call, self._limiter)
        except anyio.get_cancelled_exc_class():
            if begun.is_set() and not over.is_set():
                hanging.append(over)
                logger.warning("%s hangs in a thread; nobody waits for it any more", what)
            raise
        return result


async def call_foreign(what: str, function: Callable[..., Any], *arguments: Any, threads: Threads) -> Any:
    """Call a user's function and await what it returns, where that can be awaited.

    A plain function runs in a thread, since it may block; when the caller gives up, the thread is abandoned with a
    warning. A coroutine function runs right here.

    Raises:
        ClusterError: it raised; its error is the cause.
    """
    with foreign_errors(what):
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        result = await threads.call(what, function, *arguments)
        return await result if inspect.isawaitable(result) else result
