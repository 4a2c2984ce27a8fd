"""``trio-adaptive up``: one elastic cluster or several as a service, until it is told to end."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager

import trio

from trio_adaptive.service.config_file.reading import Configuration, Hosting
from trio_adaptive.service.elastic import Elastic, Plan, elastic, renew_on_signal
from trio_adaptive.service.foreign_cluster import foreign_cluster
from trio_adaptive.service.several import Several, until_taken_over
from trio_adaptive.service.signals import Signals
from trio_adaptive.service.status import watched

logger = logging.getLogger(__name__)


async def up(configuration: Configuration, *, live: bool) -> int:
    """Serve until a signal comes, or there is nothing left to do, since another autoscaler has taken over.

    Args:
        configuration: the clusters to bring up. What goes wrong with the only one ends the service; of several each is
            on its own.
        live: draw a status line, where there is one cluster.

    Returns:
        The exit code 0, since ending is what it was asked for.
    """
    hostings = list(configuration.clusters.values())
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as serving:
            signals = Signals(serving)
            await nursery.start(signals.watch)
            if len(hostings) == 1:
                await _one(hostings[0], signals, live=live)
            else:
                await _several(hostings, signals)
        nursery.cancel_scope.cancel()
    return 0


def opening(hosting: Hosting) -> AbstractAsyncContextManager[Elastic]:
    """Brings a cluster up as its plan has it."""
    return elastic(hosting.plan) if isinstance(hosting.plan, Plan) else foreign_cluster(hosting.plan)


async def _one(hosting: Hosting, signals: Signals, *, live: bool) -> None:
    async with opening(hosting) as cluster, trio.open_nursery() as nursery:
        signals.pids = cluster.pids
        await nursery.start(renew_on_signal, lambda: [cluster])
        _greet(cluster)
        async with watched(cluster.scaler, live=live):
            await until_taken_over(cluster)
        nursery.cancel_scope.cancel()


async def _several(hostings: list[Hosting], signals: Signals) -> None:
    several = Several(opening, lambda hosting, cluster: _greet(cluster, hosting.name), lambda _: None)
    signals.pids = lambda: [pid for cluster in several.up.values() for pid in cluster.pids()]
    async with trio.open_nursery() as nursery:
        await nursery.start(renew_on_signal, lambda: list(several.up.values()))
        async with trio.open_nursery() as clusters:
            for hosting in hostings:
                clusters.start_soon(several.host, hosting)
        nursery.cancel_scope.cancel()


def _greet(cluster: Elastic, name: str = "") -> None:
    if name:
        print(f"Cluster    {name}")
    if cluster.address:
        print(f"Scheduler  {cluster.address}")
    if cluster.dashboard:
        print(f"Dashboard  {cluster.dashboard}")
    how = f"Client({cluster.address!r})" if cluster.address else "nowhere: it has no scheduler"
    end = "" if name else "; Ctrl-C ends the cluster"
    print(f"Connect    {how}{end}", flush=True)
