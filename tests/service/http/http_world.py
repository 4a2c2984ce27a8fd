"""What the tests of the API share: the service over a real socket, on the real clock, in front of a fake cluster."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx
import trio
from attrs import frozen

from trio_adaptive import Adaptive, adaptive
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.http.web import web
from trio_adaptive.service.listen import Address, Listen
from trio_adaptive.testing import FakeCluster

QUICK = {"interval": 0.05, "min_interval": 0.01}
SLOW = 30.0


@frozen
class World:
    """A service with one cluster, and a client of it; ``stops`` are the reasons for which it was to end."""

    fleet: Fleet
    cluster: FakeCluster
    scaler: Adaptive
    url: str
    client: httpx.AsyncClient
    stops: list[str]

    async def get(self, path, status=200, **more):
        answer = await self.client.get(path, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def until(self, condition):
        with trio.fail_after(SLOW):
            while not condition():
                await self.scaler.next_record()


@asynccontextmanager
async def serving(fleet, listen=None, limit=SLOW):
    """The URL where a fleet is served."""
    with trio.fail_after(limit):
        async with trio.open_nursery() as nursery:
            run = web(listen or Listen(Address("127.0.0.1", 0), may_move=False))
            yield await nursery.start(run, fleet)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_world(wanted=0, listen=None, client=None, limit=SLOW, **options):
    stops = []
    fleet = Fleet(stops.append)
    cluster = FakeCluster(wanted)
    async with adaptive(cluster, **QUICK | options) as scaler:
        fleet.add(Hosted("default", scaler, "tcp://scheduler:8786", "http://dask/status"))
        async with (
            serving(fleet, listen, limit) as url,
            httpx.AsyncClient(base_url=url, **client or {}) as asking,
        ):
            yield World(fleet, cluster, scaler, url, asking, stops)
