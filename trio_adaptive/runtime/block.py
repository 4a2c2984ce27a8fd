"""`adaptive()`: the autoscaler as a lifetime to enter."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from trio_adaptive.config import Settings
from trio_adaptive.errors import AlreadyDriven
from trio_adaptive.runtime.adaptive import Adaptive


def _is_cancellation(error: BaseException) -> bool:
    """Also that of a block which waited in task groups of its own: on trio all of their tasks tell of it."""
    cancelled = anyio.get_cancelled_exc_class()
    if isinstance(error, BaseExceptionGroup):
        return error.split(cancelled)[1] is None
    return isinstance(error, cancelled)


@asynccontextmanager
async def adaptive(
    cluster: Any,
    *,
    settings: Settings | None = None,
    prepare: Callable[[Adaptive], None] | None = None,
    **options: Any,
) -> AsyncGenerator[Adaptive]:
    """Adapt a cluster for as long as the block lasts; the parameters are those of `Adaptive`.

    With ``prepare`` the scaler is shown to somebody before it begins.

    What the block raises leaves as itself. When something goes wrong inside, the block is cancelled and an exception
    group leaves.

    Raises:
        AlreadyDriven: the cluster has another driver.
    """
    scaler = Adaptive(cluster, settings=settings, **options)
    if prepare is not None:
        prepare(scaler)
    failure: BaseException | None = None
    begun = False
    try:
        async with anyio.create_task_group() as tasks:
            try:
                await tasks.start(scaler.run)
                begun = True
                yield scaler
            except BaseException as error:
                if _is_cancellation(error) or (not begun and not isinstance(error, AlreadyDriven)):
                    raise  # the task group knows whose cancellation it is
                failure = error  # raised again outside of the group, which would wrap it
            scaler.stop("its block has ended")
    finally:
        if failure is not None:
            raise failure
