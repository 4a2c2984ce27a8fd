"""The HTTP side of the service as one task: the application, and serving it."""

from __future__ import annotations

import trio

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.app import make_app
from trio_adaptive.service.http.serve import serve
from trio_adaptive.service.listen import Listen
from trio_adaptive.service.up import Web


def web(listen: Listen) -> Web:
    """What serves a fleet there; tells its URL once it answers."""

    async def run(fleet: Fleet, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(serve, make_app(fleet), listen)
            task_status.started(f"http://{address}")

    return run
