"""Being the driver of a scheduler: the lease held, wake-ups received, and the line mended when it breaks.

The line lives as a task of its own on the link's event loop, and posts what it hears to its owner's. A line that breaks
is made anew, with the probe, which has taken itself out meanwhile; then everything has to be looked at again. Where
somebody else has taken the lease meanwhile, or takes it over, our turn is over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio

from trio_adaptive.dask.events import watch_scheduler
from trio_adaptive.dask.link import SchedulerLink, scheduler_errors
from trio_adaptive.dask.loops import CANCEL_GRACE, home_post
from trio_adaptive.dask.probe.talk import FAREWELL, Talk, mark_seen
from trio_adaptive.dask.streams import LEAVE_TIMEOUT, RETRY_FIRST, RETRY_LONGEST
from trio_adaptive.dask.turn import DrivenByNamesake, NoProbe, Request, begin_turn
from trio_adaptive.errors import AlreadyDriven, ClusterError

logger = logging.getLogger("trio_adaptive.dask")

TTL: Final = 10.0
"""How long a line lasts when one end of it is silent, in seconds. Each end beats four times in that time."""

FIRST: Final = 5.0
"""How long to wait for a scheduler that does not answer, in seconds, before going on without a lease for now."""

AFTERMATH: Final = 2.0
"""How long to wait for the end of a turn of our own name, in seconds: its connection is closed, but nobody has seen that."""

WORKERS: Final = "workers"
"""The reason of a wake-up after which the roster has to be asked for anew."""


class Line:
    """Our turn as the driver. Made by `open_line`."""

    def __init__(self, link: SchedulerLink, driver: str, ttl: float) -> None:
        self._link = link
        self._driver = driver
        self._ttl = ttl
        self._post = home_post()
        self._wake: Callable[[], None] = _nobody
        self._over = anyio.Event()
        self._error: ClusterError | None = None
        self._talk: Talk | None = None
        self._task: asyncio.Task[None] | None = None
        self._link.cut = "none has been opened yet"
        self._leaving = False
        self._ended = False

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever the scheduler tells of work or of workers. Runs until it is cancelled.

        Raises:
            AlreadyDriven: our turn is over, since somebody else drives.
        """
        self._wake = wake
        await self._over.wait()
        if self._error is not None:
            raise self._error
        await watch_scheduler(self._link, wake)

    # On the link's loop

    async def open(self, *, take_over: bool) -> None:
        """Begin our turn, and keep it until `close`. A scheduler that is not there is tried again and again.

        Raises:
            AlreadyDriven: it is somebody else's turn.
        """
        end = time.monotonic() + AFTERMATH
        while True:
            try:
                return self.keep(await self._obtain(take_over=take_over))
            except DrivenByNamesake:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(RETRY_FIRST)

    def keep(self, comm: Any = None) -> None:
        """Hold this connection, which has the lease, or get one."""
        if self._task is None and not self._leaving:
            self._take(comm)
            self._task = asyncio.ensure_future(self._keep())
            self._task.add_done_callback(mark_seen)
        elif comm is not None:  # it has come too late: nobody has waited for it
            comm.abort()

    async def close(self) -> None:
        """Give the lease back; returns when the scheduler has it."""
        self._leaving = True
        if self._task is not None:
            if self._talk is not None:
                self._talk.end({"op": "bye"})
                await asyncio.wait({self._task}, timeout=FAREWELL)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=LEAVE_TIMEOUT)
        self._link.epoch, self._link.cut = None, ""

    def _take(self, comm: Any) -> None:
        self._talk = None if comm is None else Talk(comm, self._ttl, self._hear)

    async def _keep(self) -> None:
        pause = RETRY_FIRST
        while True:
            if self._talk is not None:
                await self._talk_over(self._talk)
                pause = RETRY_FIRST
            if self._leaving or self._ended:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_LONGEST)
            try:
                self._take(await self._obtain(take_over=False))
            except AlreadyDriven as error:
                self._end(error)

    async def _obtain(self, *, take_over: bool) -> Any:
        try:
            comm, epoch = await begin_turn(self._link, Request(self._driver, self._ttl, take_over))
        except AlreadyDriven:
            raise
        except NoProbe as error:
            self._degrade(str(error))
            return None
        except ClusterError as error:
            logger.info("%s; there is no lease for now", error)
            self._link.cut = str(error)
            return None
        self._link.epoch, self._link.cut = epoch, ""
        self._hear([WORKERS])  # whatever has happened before
        return comm

    async def _talk_over(self, talk: Talk) -> None:
        try:
            await talk.run()
        finally:
            self._talk = None
        if talk.last_heard is not None:
            self._end(AlreadyDriven(f"taken over by {talk.last_heard['by']}"))
        elif not self._leaving:
            logger.info("The line to %s is broken", self._link.address)
            self._link.cut = "it is broken"
            self._hear([WORKERS])

    def _degrade(self, why: str) -> None:
        self._link.degraded = why
        logger.warning("Degraded: %s", why)
        self._end(None)

    def _end(self, error: ClusterError | None) -> None:
        self._ended = True
        self._link.epoch, self._link.cut = None, ""

        def end() -> None:
            self._error = error
            self._over.set()

        self._tell(end)

    def _hear(self, reasons: Collection[str]) -> None:
        def hear() -> None:
            if WORKERS in reasons:
                self._link.workers_changed()
            self._wake()

        self._tell(hear)

    def _tell(self, news: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the owner's loop has ended
            self._post(news)


def _nobody() -> None:
    """Before anybody watches."""


async def _begin(line: Line, link: SchedulerLink, *, take_over: bool) -> None:
    with anyio.move_on_after(FIRST) as patience:
        try:
            with scheduler_errors("the line", link.address):
                await link.caller.call(lambda: line.open(take_over=take_over))
        except AlreadyDriven:
            raise
        except ClusterError as error:  # the loop ends, and whatever belongs to it
            logger.info("%s; there is no lease", error)
    if patience.cancelled_caught:
        logger.info("%s has not answered for %g s; there is no lease for now", link.address, FIRST)
        await link.caller.run(line.keep)


@asynccontextmanager
async def open_line(
    link: SchedulerLink, driver: str, *, take_over: bool = False, ttl: float = TTL
) -> AsyncGenerator[Line]:
    """Be the driver of a scheduler for as long as the block lasts.

    Where the scheduler forbids plugins there is no lease: the reason is logged and stands in ``link.degraded``. Where
    it cannot be reached yet the block begins without one.

    Args:
        link: to the scheduler.
        driver: who we are, for others to read.
        take_over: take the place of another driver, which is told.
        ttl: how long the line may be silent, in seconds.

    Raises:
        AlreadyDriven: another one drives it.
    """
    line = Line(link, driver, ttl)
    try:
        await _begin(line, link, take_over=take_over)
        yield line
    finally:
        # A loop that has been closed has taken the line along.
        grace = FAREWELL + CANCEL_GRACE
        with anyio.CancelScope(shield=True), anyio.move_on_after(grace), suppress(RuntimeError):
            await link.caller.call(line.close)
