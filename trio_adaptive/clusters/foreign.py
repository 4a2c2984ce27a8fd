"""Calling what a user wrote: plain or async, blocking or not, with errors of any kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread

from trio_adaptive.errors import CallTimedOut, ClusterError

THREADS = 4
"""Blocking calls of one cluster at the same time. One that hangs for ever holds its thread; the fifth call waits for
its deadline rather than for a fifth thread."""


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


async def call_foreign(
    what: str, function: Callable[..., Any], *arguments: Any, limiter: anyio.CapacityLimiter
) -> Any:
    """Call a user's function and await what it returns, where that can be awaited.

    A plain function runs in a thread, since it may block; when the caller gives up, the thread is abandoned. A
    coroutine function runs right here.

    Raises:
        ClusterError: it raised; its error is the cause.
    """
    with foreign_errors(what):
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        # In a tuple, since trio takes a coroutine that comes out of a thread for a mistake.
        (result,) = await anyio.to_thread.run_sync(
            lambda: (function(*arguments),), abandon_on_cancel=True, limiter=limiter
        )
        return await result if inspect.isawaitable(result) else result
