"""``trio-adaptive up``: one elastic cluster or several as a service, until it is told to end."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias

import trio
from attrs import evolve, frozen

from trio_adaptive.errors import ClusterError
from trio_adaptive.service.client.discovery import announced
from trio_adaptive.service.collection import seldom_collected
from trio_adaptive.service.config_file.check import in_words
from trio_adaptive.service.config_file.given import Given
from trio_adaptive.service.config_file.reading import Configuration, Hosting
from trio_adaptive.service.elastic import Elastic, Plan, elastic, renew_on_signal
from trio_adaptive.service.fleet import Fleet, Hosted
from trio_adaptive.service.foreign_cluster import foreign_cluster
from trio_adaptive.service.hangup import watch_hangups
from trio_adaptive.service.notify import Notifier, notifier_of_environment
from trio_adaptive.service.reloading import Reloading
from trio_adaptive.service.several import Several, until_taken_over
from trio_adaptive.service.sharing import Sharing
from trio_adaptive.service.signals import Signals
from trio_adaptive.service.status import watched
from trio_adaptive.service.terminal import say

logger = logging.getLogger(__name__)

Web: TypeAlias = Callable[..., Awaitable[None]]
"""Serves a fleet over HTTP until it is cancelled; tells its URL by ``task_status`` once it answers."""


async def up(configuration: Configuration, given: Given, *, live: bool, web: Web | None = None) -> int:
    """Serve until a signal comes, or there is nothing left to do, since another autoscaler has taken over.

    Args:
        configuration: the clusters to bring up. What goes wrong with the only one ends the service; of several each is
            on its own.
        given: what the command line said, for when the configuration file is read again.
        live: draw a status line, where there is one cluster.
        web: the HTTP API, which answers from before the clusters are up until they are down; None for none.

    Returns:
        The exit code 0, since ending is what it was asked for.
    """
    reloading = Reloading(configuration, given, Sharing(configuration.service.maximum))
    notifier = reloading.notifier = notifier_of_environment()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as serving:
            signals = Signals(serving)
            await nursery.start(signals.watch)
            nursery.start_soon(notifier.keep_alive)
            stop = _stopper(serving)
            fleet = reloading.fleet = Fleet(stop, reloading, expected=tuple(configuration.clusters))
            if configuration.file is not None:
                await nursery.start(
                    watch_hangups, reloading.on_signal, partial(stop, "the terminal has gone")
                )
            if web is not None:
                url = await nursery.start(web, fleet)
                say(f"Service    {url}")
                await nursery.start(_announce, url, configuration.service.name or "")
            running = _Running(reloading, fleet, signals, notifier)
            await (_one(running, live=live) if len(configuration.clusters) == 1 else _several(running))
        nursery.cancel_scope.cancel()
    return 0


@frozen
class _Running:
    """What all clusters have in common."""

    reloading: Reloading
    fleet: Fleet
    signals: Signals
    notifier: Notifier

    async def until_stopping(self) -> None:
        """Tell when the end begins, which takes as long as the clusters need."""
        try:
            await trio.sleep_forever()
        finally:
            self.notifier.stopping()


async def _announce(
    url: str, name: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Let commands on this machine find the service; it does without where that cannot be."""
    try:
        with announced(url, name):
            task_status.started()
            await trio.sleep_forever()
    except ClusterError as error:
        logger.warning("Commands have to be told --url %s: %s", url, error)
        task_status.started()


def _stopper(serving: trio.CancelScope) -> Callable[[str], None]:
    def stop(reason: str) -> None:
        logger.info("Ending: %s", reason)
        serving.cancel()

    return stop


def opening(hosting: Hosting) -> AbstractAsyncContextManager[Elastic]:
    """Brings a cluster up as its plan has it."""
    return elastic(hosting.plan) if isinstance(hosting.plan, Plan) else foreign_cluster(hosting.plan)


async def _one(running: _Running, *, live: bool) -> None:
    reloading, sharing = running.reloading, running.reloading.sharing
    (hosting,) = reloading.current.clusters.values()
    async with _shared(reloading, hosting) as cluster, trio.open_nursery() as nursery:
        running.signals.pids = cluster.pids
        await nursery.start(renew_on_signal, lambda: [cluster])
        nursery.start_soon(running.until_stopping)
        nursery.start_soon(sharing.run)
        sharing.follow(hosting.name, cluster.scaler)
        running.fleet.add(_hosted(hosting, cluster))
        _greet(cluster)
        running.notifier.ready(in_words(reloading.current))
        async with watched(cluster.scaler, live=live):
            await until_taken_over(cluster)
        nursery.cancel_scope.cancel()


async def _several(running: _Running) -> None:
    reloading, fleet, sharing = running.reloading, running.fleet, running.reloading.sharing
    async with trio.open_nursery() as nursery:

        def came(hosting: Hosting, cluster: Elastic) -> None:
            fleet.add(_hosted(hosting, cluster))
            sharing.follow(hosting.name, cluster.scaler)
            _greet(cluster, hosting.name)

        several = Several(partial(_shared, reloading), came, lambda hosting: fleet.remove(hosting.name))
        running.signals.pids = lambda: [pid for cluster in several.up.values() for pid in cluster.pids()]
        await nursery.start(renew_on_signal, lambda: list(several.up.values()))
        nursery.start_soon(running.until_stopping)
        nursery.start_soon(sharing.run)
        with seldom_collected(len(reloading.current.clusters)):
            async with trio.open_nursery() as clusters:
                for hosting in reloading.current.clusters.values():
                    clusters.start_soon(several.host, hosting)
                # One that cannot be brought up is no reason to call the service not ready: see /readyz.
                running.notifier.ready(in_words(reloading.current))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _shared(reloading: Reloading, hosting: Hosting) -> AsyncGenerator[Elastic]:
    # It may have been changed since it was up the last time.
    hosting = reloading.current.clusters[hosting.name]
    sharing = reloading.sharing
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
        say(f"Cluster    {name}")
    if cluster.address:
        say(f"Scheduler  {cluster.address}")
    if cluster.dashboard:
        say(f"Dashboard  {cluster.dashboard}")
    how = f"Client({cluster.address!r})" if cluster.address else "nowhere: it has no scheduler"
    end = "" if name else "; Ctrl-C ends the cluster"
    say(f"Connect    {how}{end}")
