"""SIGINT and SIGTERM: the first one ends the service gracefully, a second one at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress

import trio

HANDLED = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """The signals that arrive, and what they do.

    Attributes:
        first: the first one; None before.
        arrived: set with the first one.
        cancels: what the first one cancels; None for nothing, where somebody waits for ``arrived``.
        pids: gives the processes that the second one kills.
    """

    def __init__(self, cancels: trio.CancelScope) -> None:
        self.first: signal.Signals | None = None
        self.arrived = trio.Event()
        self.cancels: trio.CancelScope | None = cancels
        self.pids: Callable[[], Iterable[int]] = list

    async def watch(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait for signals for ever. The second one ends our processes and us, without another step."""
        with trio.open_signal_receiver(*HANDLED) as signals:
            task_status.started()
            async for number in signals:
                if self.first is not None:
                    _die(number, self.pids())
                self.first = signal.Signals(number)
                self.arrived.set()
                if self.cancels is not None:
                    self.cancels.cancel()


def _die(number: int, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def from_terminal(number: signal.Signals) -> bool:
    """Whether a terminal has sent this to our whole process group: Ctrl-C, which a child has got as well."""
    try:
        foreground = os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # no terminal
        return False
    return number == signal.SIGINT and foreground


@contextmanager
def fatal_interrupts() -> Generator[None]:
    """Let Ctrl-C end the process at once, for as long as there is nothing to take down.

    Otherwise it is a KeyboardInterrupt, which Python throws away where it happens to hit the end of an import.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody else has decided what it means, such as a shell that has us in the background
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
