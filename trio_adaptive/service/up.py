"""``trio-adaptive up``: an elastic cluster as a service, until it is told to end."""

from __future__ import annotations

import trio

from trio_adaptive.service.elastic import Elastic, Plan, elastic
from trio_adaptive.service.signals import Signals
from trio_adaptive.service.status import watched


async def up(plan: Plan, *, live: bool) -> int:
    """Serve until a signal comes; returns the exit code 0, since ending is what it was asked for."""
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as serving:
            signals = Signals(serving)
            await nursery.start(signals.watch)
            async with elastic(plan) as cluster:
                signals.pids = cluster.pids
                _greet(cluster)
                async with watched(cluster.scaler, live=live):
                    await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    return 0


def _greet(cluster: Elastic) -> None:
    print(f"Scheduler  {cluster.address}")
    if cluster.dashboard:
        print(f"Dashboard  {cluster.dashboard}")
    print(f"Connect    Client({cluster.address!r}); Ctrl-C ends the cluster", flush=True)
