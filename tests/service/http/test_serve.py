"""The server itself: ports, and peers that do what they should not."""

from __future__ import annotations

import socket
from itertools import pairwise

import httpx
import pytest
import trio
from http_world import serving
from raw_http import address_of

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http import connections, serve
from trio_adaptive.service.listen import Address, Listen

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


async def test_another_port_will_do_where_none_was_asked_for(caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen(Address("127.0.0.1", taken.getsockname()[1]))
        async with serving(Fleet(print), listen) as url, httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert address_of(url)[1] != taken.getsockname()[1]
    assert "is taken" in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"x" * 100_000,
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n" + b"x" * 10_000_000,
    ],
)
async def test_nonsense_ends_one_connection_and_no_more(said, caplog):
    async with serving(Fleet(print)) as url, httpx.AsyncClient(base_url=url) as client:
        peer = await trio.open_tcp_stream(*address_of(url))
        async with peer, trio.open_nursery() as nursery:
            nursery.start_soon(_send, peer, said)
            answer = b"".join([piece async for piece in _pieces(peer)])
            nursery.cancel_scope.cancel()
        assert b"HTTP/1.1 5" not in answer
        assert (await client.get("/healthz")).status_code == 200
    assert "failed" not in caplog.text


async def _send(peer, said):
    try:
        await peer.send_all(said)
        await peer.send_eof()
    except trio.BrokenResourceError:
        pass  # it has heard enough


async def _pieces(peer):
    try:
        async for piece in peer:
            yield piece
    except trio.BrokenResourceError:
        return


async def test_a_head_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(connections, "IDLE", 0.1)
    async with serving(Fleet(print)) as url:
        peer = await trio.open_tcp_stream(*address_of(url))
        async with peer:
            await peer.send_all(b"GET /healthz HT")
            assert await peer.receive_some() == b""


async def test_beyond_the_bound_connections_are_closed(monkeypatch):
    monkeypatch.setattr(serve, "CONNECTIONS", 1)
    async with serving(Fleet(print)) as url:
        first = await trio.open_tcp_stream(*address_of(url))
        async with first:
            await first.send_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"200" in await first.receive_some()
            async with await trio.open_tcp_stream(*address_of(url)) as second:
                assert await second.receive_some() == b""
        async with httpx.AsyncClient(base_url=url) as client:
            while True:  # until the server has noticed that the first one has gone
                try:
                    assert (await client.get("/healthz")).status_code == 200
                except httpx.TransportError:
                    await trio.sleep(0.01)
                else:
                    break


async def test_between_two_peers_that_send_at_once_everything_else_goes_on():
    turns, order = connections.Turns(), []

    async def peer():
        await turns.take()
        order.append("peer")

    async def loop():
        while order.count("peer") < 20:
            order.append("loop")
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(peer)
        nursery.start_soon(loop)
    assert not any(one == other == "peer" for one, other in pairwise(order))
