"""A client that speaks HTTP/1.1 over a stream of trio's, event by event: for answers that do not end."""

from __future__ import annotations

import json

import h11
import trio


def address_of(url):
    host, _, port = url.partition("://")[2].partition(":")
    return host, int(port)


class Peer:
    """One connection."""

    def __init__(self, stream):
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT)

    async def ask(self, method, path, host, **headers):
        """Send a request without a body; the head of its answer."""
        fields = [("host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
        await self.stream.send_all(self.http.send(h11.Request(method=method, target=path, headers=fields)))
        await self.stream.send_all(self.http.send(h11.EndOfMessage()))
        return await self.next()

    async def next(self):
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.stream.receive_some())
        return event


class Events:
    """The server-sent events of an answer as dictionaries; a comment as ``{"comment": ...}``."""

    def __init__(self, peer):
        self._peer = peer
        self._text = ""

    async def next(self):
        """The next one; None at the end."""
        while "\n\n" not in self._text:
            part = await self._peer.next()
            if not isinstance(part, h11.Data):
                return None
            self._text += bytes(part.data).decode()
        told, _, self._text = self._text.partition("\n\n")
        event = {}
        for line in told.splitlines():
            name, _, value = line.partition(": ")
            event[name or "comment"] = json.loads(value) if name == "data" else value
        return event

    async def until(self, condition):
        while (event := await self.next()) is not None:
            if condition(event):
                return event
        raise AssertionError("the stream has ended")


async def connected(url):
    return Peer(await trio.open_tcp_stream(*address_of(url)))
