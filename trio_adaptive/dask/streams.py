"""Connections to a scheduler that last: how one is made, and how long to wait before it is made again."""

from __future__ import annotations

import asyncio
from typing import Any

from distributed.comm.core import connect

from trio_adaptive.dask.link import SchedulerLink

RETRY_FIRST = 0.1
RETRY_LONGEST = 5.0
"""Pauses before connecting again after the stream broke, doubled each time up to the longest, in seconds."""

LEAVE_TIMEOUT = 0.5
"""How long saying goodbye may take, in seconds."""


async def connected(link: SchedulerLink) -> Any:
    """Connect, to the end even where that is called off meanwhile: a listener forgets to close what is half made.

    Lives on the asyncio loop.
    """
    connecting = asyncio.ensure_future(connect(link.address, **link.connection_args))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_hang_up)
        await asyncio.wait({connecting}, timeout=LEAVE_TIMEOUT)
        connecting.cancel()
        raise


def _hang_up(connecting: asyncio.Future[Any]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().abort()
