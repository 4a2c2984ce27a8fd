"""Wake-ups: the scheduler's own events, delivered within milliseconds, with nothing installed there.

A scheduler publishes what happens to topics: ``scheduler`` has every new graph, ``all`` has workers that come and go.
We subscribe the way a client does, over one stream. Nothing tells when work has *finished*, and events can be late
under load: they make the loop fast, the interval keeps it right.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import anyio

from trio_adaptive.dask.link import SchedulerLink, scheduler_errors
from trio_adaptive.dask.loops import home_post
from trio_adaptive.dask.probe.talk import mark_seen
from trio_adaptive.dask.streams import LEAVE_TIMEOUT, RETRY_FIRST, RETRY_LONGEST, connected
from trio_adaptive.errors import ClusterError

logger = logging.getLogger("trio_adaptive.dask")

TOPICS: Final = ("scheduler", "all")
WORK: Final = frozenset({"update-graph"})
WORKERS: Final = frozenset({"add-worker", "remove-worker", "retire-workers", "restart"})


async def watch_scheduler(link: SchedulerLink, wake: Callable[[], None]) -> None:
    """Call ``wake`` whenever the scheduler tells of new work or of workers; subscribes again when the stream breaks.

    Runs until it is cancelled.
    """
    pause = RETRY_FIRST
    post = home_post()

    def on_event(action: str) -> None:
        nonlocal pause
        pause = RETRY_FIRST
        if action in WORKERS:
            link.workers_changed()
        wake()

    while True:
        try:
            with scheduler_errors("the stream of events", link.address):
                await link.caller.call(lambda: _listen(link, lambda action: post(lambda: on_event(action))))
        except ClusterError as error:
            logger.info("%s; subscribing again in %.1f s", error, pause)
        link.workers_changed()
        wake()
        await anyio.sleep(pause)
        pause = min(2 * pause, RETRY_LONGEST)


async def _listen(link: SchedulerLink, tell: Callable[[str], None]) -> None:
    """Subscribe and read until the stream ends. Lives on the asyncio loop."""
    client = f"trio-adaptive-{uuid.uuid4().hex}"
    comm = await connected(link)
    try:
        await comm.write({"op": "register-client", "client": client, "reply": False, "versions": {}})
        await comm.read()
        await comm.write([{"op": "subscribe-topic", "topic": topic, "client": client} for topic in TOPICS])
        tell("restart")  # whatever happened before the subscription
        # A task of its own, since cancelling a read breaks the line, over which we still say goodbye.
        reading = asyncio.ensure_future(_read_all(comm, tell))
        reading.add_done_callback(mark_seen)
        try:
            await asyncio.wait({reading})
            reading.result()
        finally:
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(_unsubscribe(comm, client, reading), LEAVE_TIMEOUT)
    finally:
        comm.abort()


async def _read_all(comm: Any, tell: Callable[[str], None]) -> None:
    while True:
        for action in _actions(await comm.read()):
            tell(action)


async def _unsubscribe(comm: Any, client: str, reading: asyncio.Future[None]) -> None:
    # Otherwise the scheduler tells the topic of our going, over the line on which we have gone, and logs that failure.
    goodbyes = [{"op": "unsubscribe-topic", "topic": topic, "client": client} for topic in TOPICS]
    await comm.write([*goodbyes, {"op": "close-stream"}])
    await reading  # until the scheduler has closed its end: CommClosedError, an OSError


def _actions(messages: Any) -> set[str]:
    """The actions in one batch that matter here, each once: a burst of a thousand graphs is one wake-up."""
    if not isinstance(messages, (list, tuple)):
        return set()
    found: set[str] = set()
    for message in messages:
        if message.get("op") == "event":
            body = message["event"][1]
            if isinstance(body, dict):
                found.add(str(body.get("action")))
        elif message.get("op") == "stream-closed":
            raise asyncio.IncompleteReadError(b"", None)
    return found & (WORK | WORKERS)
