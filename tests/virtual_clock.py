"""Both backends on a virtual clock: when nothing can run, time jumps to whatever is due next.

As on trio's `MockClock` with autojump, a thread or a socket that is being waited for counts as nothing: only what
lives wholly on the event loop can be tested so.
"""

from __future__ import annotations

import asyncio
import selectors

from trio.testing import MockClock

PATIENCE = 5.0
"""How long, in real seconds, somebody from outside may take to wake up a loop that has nothing else to wait for."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: lets the clock have what would have been waited. Counts the loop's rounds."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.rounds = 0
        self.on_round = None

    def select(self, timeout=None):
        self.rounds += 1
        if self.on_round is not None:
            self.on_round(self.rounds)
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(PATIENCE)
            if not ready:
                raise RuntimeError("everything waits, and nothing is ever due")
            return ready
        self.now += timeout
        return []


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock begins at 0 and jumps."""

    def __init__(self):
        self.jumps = _JumpingSelector()
        super().__init__(self.jumps)

    def time(self):
        return self.jumps.now


def virtual(backend: str):
    """A backend for anyio with a virtual clock of its own."""
    if backend == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualClockLoop}
