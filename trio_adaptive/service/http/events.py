"""Server-sent events: the status when it changes, and every record that tells something, for as long as the reader reads.

A reader that is slow holds up nobody but itself: records are fetched from what the scaler keeps when there is room, so that
one that is too slow misses the oldest, and a status that was not sent in time is never sent.
"""

from __future__ import annotations

import json
from typing import Any, Final

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from trio_adaptive.service.fleet import Hosted
from trio_adaptive.service.http.identity import Who
from trio_adaptive.service.http.records import number_of, record_id, record_view, told
from trio_adaptive.service.http.views import WallClock, status

PAUSE: Final = 0.25
"""The shortest time between two statuses, in seconds."""

HEARTBEAT: Final = 15.0
"""After so long without an event, in seconds, a comment tells that both ends are there."""

DOUBT: Final = 2.0
"""So often, in seconds, it is asked whether the reader may still read."""


class EventStream(Response):
    """The answer that does not end before its reader goes, or may no longer read.

    Args:
        hosted: whose events.
        wall: for times.
        who: reads.
        after: what a reader has read that comes again; None for one that is new, which gets what is to come.
        everything: also looks on which nothing was done.
    """

    media_type = "text/event-stream"

    def __init__(
        self, hosted: Hosted, wall: WallClock, who: Who, *, after: str | None = None, everything: bool = False
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hosted = hosted
        self._wall = wall
        self._who = who
        self._everything = everything
        self._read = hosted.scaler.published if after is None else _number(hosted, after)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until there is nobody to tell."""
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            await self._tell(send)
            nursery.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        scaler = self._hosted.scaler
        shown, status_due, heartbeat_due = None, trio.current_time(), trio.current_time() + HEARTBEAT
        while self._who.still():
            state = scaler.published, scaler.stage
            text = self._new_records(state[0])
            now = trio.current_time()
            if state != shown and now >= status_due:
                text += _event("status", status(self._hosted, self._wall))
                shown, status_due = state, now + PAUSE
            if not text and now >= heartbeat_due:
                text = ": nothing new\n\n"
            if text:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                heartbeat_due = trio.current_time() + HEARTBEAT
            due = heartbeat_due if state == shown else status_due
            with trio.move_on_at(min(due, now + DOUBT)):
                await self._news(state)

    def _new_records(self, published: int) -> str:
        new = told(self._hosted, self._read, everything=self._everything)
        self._read = published
        events = []
        for number, record in new:
            view = record_view(self._hosted, self._wall, number, record)
            events.append(_event("record", view, record_id(self._hosted, number)))
        return "".join(events)

    async def _news(self, state: tuple[int, str]) -> None:
        """Wait until there is something after what has been told."""
        if self._hosted.scaler.stage == "stopped":
            await trio.sleep_forever()
        if (self._hosted.scaler.published, self._hosted.scaler.stage) == state:
            await self._hosted.scaler.next_record()


def _number(hosted: Hosted, given: str) -> int:
    """Where to go on; from the beginning where that is not known."""
    try:
        return number_of(hosted, given)
    except ValueError:
        return 0


def _event(name: str, data: Any, id_: str | None = None) -> str:
    head = "" if id_ is None else f"id: {id_}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
