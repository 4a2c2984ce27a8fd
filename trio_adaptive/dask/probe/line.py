"""The lease: one driver at a time. It lasts as long as its holder's line, which carries the wake-ups as well.

A connection is the best witness of who is alive: when a driver is killed it breaks within milliseconds. The rest, a
driver that stands still or a network that swallows everything, ends by silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from distributed.core import Status

from .talk import Talk

CLAIM = 1.0
"""How long the probe stays without ever having had a driver, in seconds: one that came to install it may have died."""


class Lines:
    """Who drives.

    Attributes:
        driver: the name of who drives; empty when nobody does.
        epoch: the number of its turn. None is ever used again, also by a probe that is installed later.
    """

    def __init__(self, lift: Callable[[], None], end: Callable[[], None]) -> None:
        """Begin without a driver.

        Args:
            lift: gives back to service whatever a driver has taken out of it.
            end: takes the probe out of the scheduler.
        """
        self.driver = ""
        self.epoch = time.time_ns()
        self._lift = lift
        self._end = end
        self._talk: Talk | None = None
        self._unclaimed = asyncio.get_running_loop().call_later(CLAIM, self._give_up)

    async def line(
        self,
        comm: Any,
        driver: str,
        ttl: float,
        take_over: bool = False,
        epoch: int = 0,
    ) -> Any:
        """Be the driver for as long as this connection lasts.

        Args:
            comm: the connection; distributed puts it in by this name.
            driver: who asks, for others to read.
            ttl: how long the line lasts without a word from the driver, in seconds.
            take_over: take the place of another driver, which is told.
            epoch: of an earlier turn: its line is broken, which may not have been noticed here.

        Returns:
            Who drives and for how many seconds, to one that is refused. Who gets the lease is told the epoch.
        """
        before = self._talk
        if before is not None:
            if not take_over and epoch != self.epoch:
                return {"driver": self.driver, "seconds": time.monotonic() - before.begun}
            before.end({"op": "taken", "by": driver})
            self._lift()
        talk = self._begin(comm, driver, ttl)
        try:
            await comm.write({"epoch": self.epoch})
            await talk.run()
        except OSError:
            pass  # the driver has gone before it knew that it was one
        finally:
            self._leave(talk)
        return Status.dont_reply

    def _begin(self, comm: Any, driver: str, ttl: float) -> Talk:
        self._unclaimed.cancel()
        self.driver, self.epoch = driver, max(self.epoch + 1, time.time_ns())
        self._talk = Talk(comm, ttl, hear=lambda _: None)
        return self._talk

    def _leave(self, talk: Talk) -> None:
        if self._talk is talk:
            self._talk, self.driver = None, ""
            try:
                self._lift()
            finally:
                self._end()

    def _give_up(self) -> None:
        if self._talk is None:
            self._end()

    def wake(self, reason: str) -> None:
        """Tell the driver, if there is one, that it had better look; may be called as often as one likes."""
        if self._talk is not None:
            self._talk.wake(reason)

    def hang_up(self) -> None:
        """The scheduler closes: there is nothing any more to be given back or tidied up."""
        self._unclaimed.cancel()
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.hang_up()
