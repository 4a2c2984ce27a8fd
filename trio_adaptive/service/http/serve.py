"""Serving: the sockets, and a task for each connection, in a nursery of its own."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio
from attrs import define, field
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from starlette.types import ASGIApp

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.http.connections import Connection, TimedStream, make_config
from trio_adaptive.service.listen import Address, Listen

logger = logging.getLogger(__name__)

CONNECTIONS = 256
"""So many at once; further ones are closed right away, since a process has only so many open files."""

BACKLOG = 128

Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


async def serve(
    app: ASGIApp, listen: Listen, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer until cancelled; tells where, once it does.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    listener = await _open(listen)
    host, port = listener.socket.getsockname()[:2]
    server = _Server(app, make_config(), WorkerContext(None))
    async with trio.open_nursery() as nursery:
        task_status.started(Address(host, port))
        try:
            await trio.serve_listeners(server.handle, [listener], handler_nursery=nursery)
        finally:
            server.sever()


@define
class _Server:
    app: ASGIApp
    config: Config
    context: WorkerContext
    _open: set[TimedStream] = field(factory=set[TimedStream])

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection; nothing that happens in it leaves it."""
        if len(self._open) >= CONNECTIONS:
            logger.warning("More than %d connections: one was closed", CONNECTIONS)
            await trio.aclose_forcefully(stream)
            return
        timed = TimedStream(stream, stream.socket)
        self._open.add(timed)
        try:
            await Connection(self._answer, self.config, self.context, timed, tls=False).run()
        finally:
            self._open.discard(timed)

    async def _answer(
        self, scope: Any, receive: Receive, send: Send, sync_spawn: object = None, call_soon: object = None
    ) -> None:
        del sync_spawn, call_soon  # for applications that know no event loop
        if scope["type"] == "http":
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    def sever(self) -> None:
        """Cut all connections, since a peer that does not read would hold up the end."""
        for stream in self._open:
            stream.sever()


async def _open(listen: Listen) -> trio.SocketListener:
    try:
        return await _bound(listen.address)
    except OSError as error:
        if listen.may_move and error.errno == errno.EADDRINUSE:
            logger.warning("Port %d is taken: listening at another one", listen.address.port)
            return await _bound(Address(listen.address.host, 0))
        problem = f"{listen.address}: {error.strerror or error}"
        raise ConfigurationError(
            [Mistake("--listen", problem, "an address of this machine that is free")]
        ) from error


async def _bound(address: Address) -> trio.SocketListener:
    """A listener at the first address that a name stands for."""
    found = await trio.socket.getaddrinfo(address.host, address.port, type=trio.socket.SOCK_STREAM)
    family, kind, protocol, _, where = found[0]
    sock = trio.socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await sock.bind(where)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return trio.SocketListener(sock)
