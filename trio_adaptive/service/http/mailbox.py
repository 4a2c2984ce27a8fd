"""What a peer sends to one request, on its way to the application: never blocks the reader, never grows without bound.

Hypercorn's own queue holds a few pieces and then waits for the application, which may be waiting for Hypercorn in turn:
an answer before the end of a long body would never end.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup
from hypercorn.typing import AppWrapper, Scope

from trio_adaptive.service.http.bodies import BODY_BYTES

logger = logging.getLogger(__name__)


Send: TypeAlias = Callable[[Any], Awaitable[None]]


class Mailbox:
    """Pieces of a body, joined, and the end of the connection.

    One byte more than is allowed is handed on, so that it is noticed; what comes after that is dropped.
    """

    def __init__(self) -> None:
        self._body = bytearray()
        self._taken = 0
        self._complete = False
        self._told = False
        self._gone = False
        self._news = trio.Event()

    async def put(self, message: Any) -> None:
        """Take what Hypercorn has read."""
        if message["type"] == "http.request":
            room = BODY_BYTES + 1 - self._taken - len(self._body)
            self._body += message["body"][: max(0, room)]
            self._complete = self._complete or not message["more_body"]
        elif message["type"].endswith(".disconnect"):
            self._gone = True
        self._news.set()

    async def receive(self) -> Any:
        """What an application awaits."""
        while not (self._gone or self._body or (self._complete and not self._told)):
            self._news = trio.Event()
            await self._news.wait()
        if self._gone:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        self._taken += len(body)
        self._told = self._complete
        return {"type": "http.request", "body": body, "more_body": not self._complete}


class Requests(TaskGroup):
    """The tasks of a connection; each request is one."""

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,  # noqa: ARG002 - Hypercorn calls it like this
        scope: Scope,
        send: Send,
    ) -> Send:
        """Begin to answer; gives what takes the messages for it."""
        mailbox = Mailbox()
        self.spawn(_answer, app, scope, mailbox.receive, send)
        return mailbox.put


async def _answer(app: AppWrapper, scope: Scope, receive: Any, send: Send) -> None:
    try:
        await app(scope, receive, send, trio.to_thread.run_sync, trio.from_thread.run)
    except Exception:
        logger.exception("A request has failed")
    finally:
        with trio.CancelScope(shield=True):  # as long as a write may take, see `TimedStream`
            await send(None)
