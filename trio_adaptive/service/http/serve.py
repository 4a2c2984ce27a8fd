"""Serving: the sockets, and a task for each connection, in a nursery of its own."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio
from attrs import define, field, frozen
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from starlette.types import ASGIApp

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.http.access import Access
from trio_adaptive.service.http.connections import Connection, TimedStream, Turns, make_config
from trio_adaptive.service.http.tls import Certificate, certificate_of, encrypted
from trio_adaptive.service.listen import Address, Listen

logger = logging.getLogger(__name__)

CONNECTIONS = 256
"""So many at once; further ones are closed right away, since a process has only so many open files."""

CONNECTIONS_EACH = 128
"""So many from one address, so that it alone cannot take them all."""

BACKLOG = 128

Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


async def serve(
    app: ASGIApp,
    listen: Listen,
    access: Access,
    *,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer until cancelled; tells where, once it does.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    listener = await _open(listen)
    host, port = listener.socket.getsockname()[:2]
    server = _Server(app, access, make_config(), WorkerContext(None))
    async with trio.open_nursery() as nursery:
        task_status.started(Address(host, port))
        try:
            await trio.serve_listeners(server.handle, [listener], handler_nursery=nursery)
        finally:
            server.sever()


@define
class _Server:
    app: ASGIApp
    access: Access
    config: Config
    context: WorkerContext
    _open: dict[TimedStream, str] = field(factory=dict[TimedStream, str])
    _turns: Turns = field(factory=Turns)

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection; nothing that happens in it leaves it."""
        try:
            host = str(stream.socket.getpeername()[0])
        except OSError:  # it has gone already
            host = ""
        mine = sum(each == host for each in self._open.values())
        if not host or len(self._open) >= CONNECTIONS or mine >= CONNECTIONS_EACH:
            logger.info("A connection from %s was closed: there are %d", host, len(self._open))
            await trio.aclose_forcefully(stream)
            return
        # It counts from its handshake on.
        timed = TimedStream(stream, stream.socket, self._turns)
        self._open[timed] = host
        try:
            await self._serve(stream, timed)
        finally:
            del self._open[timed]
            timed.sever()

    async def _serve(self, stream: trio.SocketStream, timed: TimedStream) -> None:
        tls, certificate = self.access.tls, None
        if tls is not None:
            try:
                await self._turns.take()  # a handshake is the most that a peer can have us do
                wrapped = await encrypted(stream, tls)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
                logger.debug("No handshake: %r", error.__cause__ or error)
                return
            certificate = certificate_of(wrapped)
            timed.over(wrapped)
        app = _Answering(self.app, certificate)
        await Connection(app, self.config, self.context, timed, tls=tls is not None).run()

    def sever(self) -> None:
        """Cut all connections, since a peer that does not read would hold up the end."""
        for stream in self._open:
            stream.sever()


@frozen
class _Answering:
    """The application, for one connection: it is told what certificate the peer has shown."""

    app: ASGIApp
    certificate: Certificate | None

    async def __call__(
        self, scope: Any, receive: Receive, send: Send, sync_spawn: object = None, call_soon: object = None
    ) -> None:
        del sync_spawn, call_soon  # for applications that know no event loop
        if scope["type"] == "http":
            await self.app({**scope, "certificate": self.certificate}, receive, send)
        else:
            await send({"type": "websocket.close"})


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
