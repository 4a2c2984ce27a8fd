"""``trio-adaptive up``: an elastic cluster as a service, until it is told to end."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import trio

from trio_adaptive.service.elastic import Elastic
from trio_adaptive.service.fleet import DEFAULT, Fleet, Hosted
from trio_adaptive.service.signals import Signals
from trio_adaptive.service.status import watched

logger = logging.getLogger(__name__)


Web: TypeAlias = Callable[..., Awaitable[None]]
"""Serves a fleet over HTTP until it is cancelled; tells its URL by ``task_status`` once it answers."""


async def up(opening: AbstractAsyncContextManager[Elastic], *, live: bool, web: Web | None = None) -> int:
    """Serve until a signal comes, or there is nothing left to do, since another autoscaler has taken over.

    Args:
        opening: brings the cluster up, and takes it down again.
        live: draw a status line.
        web: the HTTP API, which answers from before the cluster is up until it is down; None for none.

    Returns:
        The exit code 0, since ending is what it was asked for.
    """
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as serving:
            signals = Signals(serving)
            await nursery.start(signals.watch)
            fleet = Fleet(_stopper(serving))
            if web is not None:
                url = await nursery.start(web, fleet)
                print(f"Service    {url}", flush=True)
            async with opening as cluster:
                signals.pids = cluster.pids
                fleet.add(Hosted(DEFAULT, cluster.scaler, cluster.address, cluster.dashboard))
                _greet(cluster)
                async with watched(cluster.scaler, live=live):
                    await _until_taken_over(cluster)
        nursery.cancel_scope.cancel()
    return 0


def _stopper(serving: trio.CancelScope) -> Callable[[str], None]:
    def stop(reason: str) -> None:
        logger.info("Ending: %s", reason)
        serving.cancel()

    return stop


async def _until_taken_over(cluster: Elastic) -> None:
    """Wait until there is nothing left to do here: whoever has taken over may still need our scheduler."""
    await cluster.scaler.wait_stopped()
    if cluster.scaler.taken_over:
        logger.warning("No longer adapting: %s", cluster.scaler.statistics().stop_reason)
    if not cluster.scaler.taken_over or cluster.has_scheduler:
        await trio.sleep_forever()


def _greet(cluster: Elastic) -> None:
    if cluster.address:
        print(f"Scheduler  {cluster.address}")
    if cluster.dashboard:
        print(f"Dashboard  {cluster.dashboard}")
    how = f"Client({cluster.address!r})" if cluster.address else "nowhere: it has no scheduler"
    print(f"Connect    {how}; Ctrl-C ends the cluster", flush=True)
