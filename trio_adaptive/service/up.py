"""``trio-adaptive up``: one elastic cluster or several as a service, until it is told to end."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias

import trio
from attrs import evolve

from trio_adaptive.service.config_file.reading import Configuration, Hosting
from trio_adaptive.service.elastic import Elastic, Plan, elastic, renew_on_signal
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.foreign_cluster import foreign_cluster
from trio_adaptive.service.several import Several, until_taken_over
from trio_adaptive.service.sharing import Sharing
from trio_adaptive.service.signals import Signals
from trio_adaptive.service.status import watched

logger = logging.getLogger(__name__)

Web: TypeAlias = Callable[..., Awaitable[None]]
"""Serves a fleet over HTTP until it is cancelled; tells its URL by ``task_status`` once it answers."""


async def up(configuration: Configuration, *, live: bool, web: Web | None = None) -> int:
    """Serve until a signal comes, or there is nothing left to do, since another autoscaler has taken over.

    Args:
        configuration: the clusters to bring up. What goes wrong with the only one ends the service; of several each is
            on its own.
        live: draw a status line, where there is one cluster.
        web: the HTTP API, which answers from before the clusters are up until they are down; None for none.

    Returns:
        The exit code 0, since ending is what it was asked for.
    """
    hostings = list(configuration.clusters.values())
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as serving:
            signals = Signals(serving)
            await nursery.start(signals.watch)
            fleet = Fleet(_stopper(serving), expected=tuple(configuration.clusters))
            if web is not None:
                url = await nursery.start(web, fleet)
                print(f"Service    {url}", flush=True)
            if len(hostings) == 1:
                await _one(hostings[0], fleet, signals, live=live)
            else:
                await _several(configuration, fleet, signals)
        nursery.cancel_scope.cancel()
    return 0


def _stopper(serving: trio.CancelScope) -> Callable[[str], None]:
    def stop(reason: str) -> None:
        logger.info("Ending: %s", reason)
        serving.cancel()

    return stop


def opening(hosting: Hosting) -> AbstractAsyncContextManager[Elastic]:
    """Brings a cluster up as its plan has it."""
    return elastic(hosting.plan) if isinstance(hosting.plan, Plan) else foreign_cluster(hosting.plan)


async def _one(hosting: Hosting, fleet: Fleet, signals: Signals, *, live: bool) -> None:
    async with opening(hosting) as cluster, trio.open_nursery() as nursery:
        signals.pids = cluster.pids
        await nursery.start(renew_on_signal, lambda: [cluster])
        fleet.add(_hosted(hosting, cluster))
        _greet(cluster)
        async with watched(cluster.scaler, live=live):
            await until_taken_over(cluster)
        nursery.cancel_scope.cancel()


async def _several(configuration: Configuration, fleet: Fleet, signals: Signals) -> None:
    sharing = Sharing(configuration.service.maximum)
    async with trio.open_nursery() as nursery:

        def came(hosting: Hosting, cluster: Elastic) -> None:
            fleet.add(_hosted(hosting, cluster))
            nursery.start_soon(sharing.follow, hosting.name, cluster.scaler)
            _greet(cluster, hosting.name)

        several = Several(partial(_shared, sharing), came, lambda hosting: fleet.remove(hosting.name))
        signals.pids = lambda: [pid for cluster in several.up.values() for pid in cluster.pids()]
        await nursery.start(renew_on_signal, lambda: list(several.up.values()))
        nursery.start_soon(sharing.run)
        async with trio.open_nursery() as clusters:
            for hosting in configuration.clusters.values():
                clusters.start_soon(several.host, hosting)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _shared(sharing: Sharing, hosting: Hosting) -> AsyncGenerator[Elastic]:
    prepare = sharing.joining(hosting.name, hosting.weight)
    try:
        async with opening(evolve(hosting, plan=evolve(hosting.plan, prepare=prepare))) as cluster:
            yield cluster
    finally:
        sharing.leave(hosting.name)


def _hosted(hosting: Hosting, cluster: Elastic) -> Hosted:
    return Hosted(hosting.name, cluster.scaler, cluster.address, cluster.dashboard)


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
