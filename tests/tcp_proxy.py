"""A network that a test can cut: a TCP proxy on loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketAttribute
from attrs import define, field

BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@define(eq=False)
class Proxy:
    """Passes bytes on.

    Attributes:
        target: the port that it stands for.
        refuse: whether new connections are closed at once.
        port: where it listens.
    """

    target: int

    refuse: bool = False
    port: int = 0
    _scopes: set[anyio.CancelScope] = field(factory=set)

    def cut(self) -> None:
        """Close all connections that there are, in the middle of whatever they carry."""
        for scope in self._scopes:
            scope.cancel()

    async def serve(self, stream) -> None:
        if self.refuse:
            await stream.aclose()
            return
        with anyio.CancelScope() as scope, suppress(*BROKEN):
            self._scopes.add(scope)
            try:
                other = await anyio.connect_tcp("127.0.0.1", self.target)
                async with stream, other, anyio.create_task_group() as both:
                    both.start_soon(self._pass, stream, other, both.cancel_scope)
                    both.start_soon(self._pass, other, stream, both.cancel_scope)
            finally:
                self._scopes.discard(scope)

    async def _pass(self, source, sink, scope) -> None:
        with suppress(*BROKEN):
            async for data in source:
                await sink.send(data)
        scope.cancel()


@asynccontextmanager
async def a_proxy(target: int):
    """A proxy for a port on loopback."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        proxy = Proxy(target, port=listener.extra(SocketAttribute.local_port))  # noqa: S610 - no Django
        tasks.start_soon(listener.serve, proxy.serve)
        try:
            yield proxy
        finally:
            tasks.cancel_scope.cancel()
