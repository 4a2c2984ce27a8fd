"""One end of a line between driver and scheduler. Both ends are the same: beats, wake-ups, and a last word.

A connection may break without a word, or its other end may stand still with the connection open. So each end says
something every now and then, and an end that has heard nothing for long enough hangs up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

BEATS = 4
"""An end that is silent for as long as that many beats should take has gone."""

PAUSE = 0.02
"""From one message to the next at the least, in seconds: what happens in between goes together."""

FAREWELL = 1.0
"""How long the other end may take to hang up after the last word, in seconds."""


class Talk:
    """One end.

    Attributes:
        begun: when it began, by the monotonic clock.
        last_heard: the other end's last word; None when it had none.
    """

    def __init__(self, comm: Any, ttl: float, hear: Callable[[list[str]], None]) -> None:
        """Take over a connection.

        Args:
            comm: the connection; nobody else reads from it or writes to it.
            ttl: how long the other end may be silent, in seconds.
            hear: called with the reasons of each wake-up.
        """
        self.begun = time.monotonic()
        self.last_heard: dict[str, Any] | None = None
        self._comm = comm
        self._beat = ttl / BEATS
        self._hear = hear
        self._heard = False
        self._reasons: set[str] = set()
        self._last: dict[str, Any] | None = None
        self._news = asyncio.Event()

    def wake(self, reason: str) -> None:
        """Wake the other end up; may be called as often as one likes."""
        if reason not in self._reasons:
            self._reasons.add(reason)
            self._news.set()

    def end(self, word: dict[str, Any]) -> None:
        """Say this, and no more."""
        self._last = word
        self._news.set()

    def hang_up(self) -> None:
        """End at once."""
        self._comm.abort()

    async def run(self) -> None:
        """Talk until one of both has said its last word, the connection is broken or the other end is silent."""
        # Tasks of their own, since a read that is cancelled breaks the connection, over which there is a word to say.
        reading, writing = asyncio.ensure_future(self._read()), asyncio.ensure_future(self._write())
        try:
            await self._until_over({reading, writing})
            if self._last is not None and not reading.done():
                await asyncio.wait({writing}, timeout=FAREWELL)
                await asyncio.wait(
                    {reading}, timeout=FAREWELL
                )  # hanging up before it has read would lose the word
        finally:
            self._comm.abort()
            for task in (reading, writing):
                task.cancel()
                task.add_done_callback(mark_seen)

    async def _until_over(self, tasks: Iterable[asyncio.Future[None]]) -> None:
        # Beat by beat: after a time in which this end itself stood still, there is a turn to read what has come.
        silent = 0
        while silent < BEATS:
            self._heard = False
            done, _ = await asyncio.wait(tasks, timeout=self._beat, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            silent = 0 if self._heard else silent + 1

    async def _read(self) -> None:
        while True:
            message = await self._comm.read()
            self._heard = True
            if message["op"] != "wake":
                self.last_heard = message
                return
            if message["reasons"]:
                self._hear(message["reasons"])

    async def _write(self) -> None:
        while self._last is None:
            reasons = sorted(self._reasons)
            self._reasons.clear()
            await self._comm.write({"op": "wake", "reasons": reasons})  # without reasons it is a beat
            await asyncio.sleep(PAUSE)
            await self._await_news()
        await self._comm.write(self._last)

    async def _await_news(self) -> None:
        waiting = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({waiting}, timeout=self._beat)
        finally:
            waiting.cancel()
            self._news.clear()


def mark_seen(task: asyncio.Future[Any]) -> None:
    """The connection may break when nobody waits any more; asyncio would log an error that nobody has looked at."""
    if not task.cancelled():
        task.exception()
