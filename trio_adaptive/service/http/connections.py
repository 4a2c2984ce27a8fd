"""One connection over HTTP/1.1: Hypercorn's own, except that nothing which a peer does, or leaves undone, is trusted.

A peer that does not read holds up a write for `SEND_TIMEOUT` at most, also while the service ends, and whatever goes
wrong in a connection ends that connection alone.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import h11
import trio
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from trio_adaptive.service.http.mailbox import Requests

logger = logging.getLogger(__name__)

SEND_TIMEOUT = 20.0
"""How long a peer may take to read what it was sent before the connection is cut, in seconds."""

CLOSING = 1.0
"""How long saying goodbye may take, in seconds."""

IDLE = 10
"""How long a peer may take for the head of a request, and between two requests, in seconds."""

HEAD_BYTES = 16 * 1024
PIECE = 4 * 1024
"""So much is read at once; the head of a request that is not complete after `HEAD_BYTES` is refused."""


class Turns:
    """Lets one connection at a time go on, and all the rest of the program in between.

    What a peer sends costs time to read. Without turns a hundred peers that send at once would be read one after the
    other before the scaling loop came to its own.
    """

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def take(self) -> None:
        """Wait for one's turn."""
        async with self._lock:
            await trio.lowlevel.checkpoint()


class TimedStream(trio.abc.Stream):
    """A stream whose peer has to read, and has to wait for its turn.

    Attributes:
        socket: below it.
    """

    def __init__(self, stream: trio.abc.Stream, sock: trio.socket.SocketType, turns: Turns) -> None:
        self._stream = stream
        self._turns = turns
        self.socket = sock

    def over(self, stream: trio.abc.Stream) -> None:
        """Go on over another stream, which goes over this one's socket."""
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(SEND_TIMEOUT) as patience:
            await self._stream.send_all(data)
        if patience.cancelled_caught:
            self.sever()
            raise trio.BrokenResourceError("the peer does not read")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(PIECE if max_bytes is None else min(PIECE, max_bytes))
        await self._turns.take()
        return data

    async def aclose(self) -> None:
        with trio.move_on_after(CLOSING):
            await self._stream.aclose()
        self.sever()

    def sever(self) -> None:
        """End it without another word; whoever waits for the peer finds it closed."""
        self.socket.close()


class _Http11(H11Protocol):
    """HTTP/1.1 and no other: no change to HTTP/2 in the middle of a connection, which would bring limits of its own."""

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _send_error_response(self, status_code: int) -> None:
        # An encoding that nobody has heard of is the peer's fault (h11 says 501): a 5xx is for ours.
        client_error = (
            status_code if status_code < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.BAD_REQUEST
        )
        await super()._send_error_response(client_error)


class Connection(TCPServer):
    """Serves one peer to its end.

    Args:
        app: what answers.
        config: see `make_config`.
        context: shared by all connections.
        stream: to the peer, after any handshake.
        tls: whether it is encrypted.
    """

    def __init__(
        self, app: AppWrapper, config: Config, context: WorkerContext, stream: TimedStream, *, tls: bool
    ) -> None:
        super().__init__(app, config, context, LifespanState({}), stream)  # type: ignore[arg-type]  # any stream does
        self._tls = tls
        self._timed = stream

    async def run(self) -> None:
        """Until the peer, its silence or the end of the service closes it."""
        sock = self._timed.socket
        try:
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with Requests() as tasks:
                self._task_group = tasks
                self.protocol = _Http11(  # type: ignore[assignment]  # what else there is, is not wanted here
                    self.app,
                    self.config,
                    self.context,
                    tasks,
                    ConnectionState(self.state),
                    self._tls,
                    client,
                    server,
                    self.protocol_send,
                )
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
        except OSError as error:
            logger.debug("A connection has ended: %r", error)
        except Exception:
            # Nobody but this peer is to suffer from what it has brought about.
            logger.exception("A connection has failed")
        finally:
            await self._close()


def make_config() -> Config:
    """How Hypercorn serves here."""
    config = Config()
    config.keep_alive_timeout = IDLE
    config.h11_max_incomplete_size = HEAD_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logger
    return config
