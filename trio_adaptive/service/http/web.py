"""The HTTP side of the service as one task: the application behind its guard, and serving it."""

from __future__ import annotations

import trio

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.access import Access
from trio_adaptive.service.http.app import make_app
from trio_adaptive.service.http.guard import Guard
from trio_adaptive.service.http.serve import serve
from trio_adaptive.service.listen import Listen
from trio_adaptive.service.up import Web


def web(listen: Listen) -> Web:
    """What serves a fleet there; tells its URL once it answers.

    Raises:
        ConfigurationError: naming all that is wrong, or missing where other machines come in.
    """
    access = Access(listen)
    scheme = "http" if access.tls is None else "https"

    async def run(fleet: Fleet, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        guard = Guard(
            make_app(fleet, authenticates=access.authenticates), access, listen.address.host.lower()
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(access.watch)
            address = await nursery.start(serve, guard, listen, access)
            task_status.started(f"{scheme}://{address}")

    return run
