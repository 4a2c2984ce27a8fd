"""What `api_load` and `hostile` ask: the service's HTTP side in front of a fake cluster that grows and shrinks all the time.

    python served.py [FOLDER]

With a folder it has TLS and tokens from there. It prints its URL and then, for each line on stdin, how late the looks have
begun since the line before: JSON on one line. The cluster is fake, so that what is measured is the service and nothing else.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import trio

from trio_adaptive import Adaptive, adaptive
from trio_adaptive.decision.model import Event, Record, Sampled
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.http.web import web
from trio_adaptive.service.listen import Address, Listen
from trio_adaptive.testing import FakeCluster

INTERVAL = 0.05
ANY = Address("127.0.0.1", 0)


class Ticks:
    """How much later than an interval after the one before each look of the interval has begun, in seconds."""

    def __init__(self) -> None:
        self._last: float | None = None
        self.late: list[float] = []

    def hear(self, event: Event, record: Record) -> None:
        del record
        if isinstance(event, Sampled) and event.sample.cause == "interval":
            if self._last is not None:
                self.late.append(max(0.0, event.sample.begun - self._last - INTERVAL))
            self._last = event.sample.begun


async def main() -> None:
    listen = Listen(ANY, may_move=False)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        files = {"cert": folder / "cert.pem", "key": folder / "key.pem", "tokens": folder / "tokens.toml"}
        listen = Listen(ANY, may_move=False, **files)
    cluster, ticks = FakeCluster(pushes=False, startup=0.2, drain_time=0.2), Ticks()
    # The limits on launches keep a hostile client from making the fake large.
    options = {"interval": INTERVAL, "maximum": 20, "max_launching": 10, "wait_count": 1, "idle_timeout": 0}
    async with adaptive(cluster, **options) as scaler, trio.open_nursery() as nursery:
        scaler.listen(ticks.hear)
        fleet = Fleet(lambda _: None)
        fleet.add(Hosted("default", scaler))
        print(await nursery.start(web(listen), fleet), flush=True)
        nursery.start_soon(change, cluster)
        await answer(scaler, ticks)
        nursery.cancel_scope.cancel()


async def change(cluster: FakeCluster) -> None:
    """Have other work twice a second."""
    chance = random.Random(7)
    while True:
        cluster.want(chance.randint(0, 20))
        await trio.sleep(0.5)


async def answer(scaler: Adaptive, ticks: Ticks) -> None:
    """Tell what has been measured, each time that somebody asks, until nobody does."""
    async with trio.wrap_file(sys.stdin) as lines:
        async for _ in lines:
            late, ticks.late = ticks.late, []
            print(json.dumps({"late": late, "stage": scaler.stage, "records": scaler.published}), flush=True)


if __name__ == "__main__":
    trio.run(main)
