"""How many streams are open: each is a connection that does not end by itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from trio_adaptive.service.http.problems import Problem

STREAMS: Final = 64
"""So many at once; each asks for a status four times a second."""


class Streams:
    """Counts the open ones."""

    def __init__(self) -> None:
        self.open = 0

    def bounded(self, stream: Response) -> Response:
        """The same stream, which counts while it lasts.

        Raises:
            Problem: there are too many already.
        """
        if self.open >= STREAMS:
            detail = f"{STREAMS} readers follow the events already"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"retry-after": "10"})
        return _Counted(self, stream)


class _Counted(Response):
    def __init__(self, streams: Streams, stream: Response) -> None:
        super().__init__()
        self._streams = streams
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open += 1
        try:
            await self._stream(scope, receive, send)
        finally:
            self._streams.open -= 1
