"""Clusters beside each other in one service: each opened, adapted, closed and, when it has failed, opened again.

Each lives in a task of its own, and nothing that goes wrong in one leaves it: not an error, and not a hang, since no call to
a cluster is waited for by anybody but its own task. A pause that doubles lies between two attempts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import trio
from attrs import define, field

from trio_adaptive.errors import ClusterError, ConfigurationError, leaves
from trio_adaptive.service.config_file.reading import Hosting
from trio_adaptive.service.elastic import Elastic
from trio_adaptive.service.logs import CLUSTER
from trio_adaptive.service.status import watched

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between the end of one attempt and the beginning of the next; a cluster that has been up for longer than the
longest pause begins with the first again."""

Opening: TypeAlias = Callable[[Hosting], AbstractAsyncContextManager[Elastic]]
"""Brings a cluster up, and takes it down again."""


@define
class Several:
    """The clusters of a service.

    Attributes:
        opening: brings one up.
        came: told of each that is up.
        went: told of each that is no longer.
    """

    opening: Opening
    came: Callable[[Hosting, Elastic], None]
    went: Callable[[Hosting], None]
    up: dict[str, Elastic] = field(factory=dict[str, Elastic], init=False)
    trouble: dict[str, str] = field(factory=dict[str, str], init=False)

    async def host(self, hosting: Hosting) -> None:
        """Have one up, until cancelled, or another autoscaler has taken it over."""
        CLUSTER.set(hosting.name)
        pause = FIRST_PAUSE
        while True:
            begun = trio.current_time()
            try:
                await self._once(hosting)
            except* (ClusterError, ConfigurationError) as errors:
                self.trouble[hosting.name] = "; ".join(str(error) for error in leaves(errors))
            except* Exception:
                self.trouble[hosting.name] = "a bug, which the log shows"
                logger.exception("A bug in what adapts %s", hosting.name)
            else:
                return
            if trio.current_time() > begun + LONGEST_PAUSE:
                pause = FIRST_PAUSE
            logger.error("Down, and tried again in %g s: %s", pause, self.trouble[hosting.name])
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, hosting: Hosting) -> None:
        async with self.opening(hosting) as cluster:
            self.up[hosting.name] = cluster
            self.trouble.pop(hosting.name, None)
            self.came(hosting, cluster)
            try:
                async with watched(cluster.scaler, live=False):
                    await until_taken_over(cluster)
            finally:
                self.went(hosting)
                del self.up[hosting.name]


async def until_taken_over(cluster: Elastic) -> None:
    """Wait until there is nothing left to do here: whoever has taken over may still need our scheduler."""
    await cluster.scaler.wait_stopped()
    if cluster.scaler.taken_over:
        logger.warning("No longer adapting: %s", cluster.scaler.statistics().stop_reason)
    if not cluster.scaler.taken_over or cluster.has_scheduler:
        await trio.sleep_forever()
