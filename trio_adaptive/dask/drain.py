"""The task-safe drain of one unit's workers: fence, finish, move, confirm. With the probe, and without it.

With the probe in the scheduler it can be refused at every stage for a reason, and called back until the scheduler has
let go, which it does only if nothing has come to the workers in the last moment. At its deadline it is forced, with
the least harm. Without the probe the same is done with stock handlers as far as they go, see `trio_adaptive.dask.fence`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import anyio

from trio_adaptive.dask import fence
from trio_adaptive.dask.leave import Leave
from trio_adaptive.dask.link import SchedulerLink
from trio_adaptive.decision.model import Lost
from trio_adaptive.errors import AlreadyDriven, ClusterError, DrainRefused

WAIT: Final = 1.0
"""How long one call waits in the scheduler for workers to finish, in seconds."""

RESCUE: Final = 5.0
"""How long data may take to be moved from workers that have to go at once, in seconds."""

_attempts = itertools.count()
"""Numbers of the drains, by which the probe tells a late call from a new one."""


async def drain(link: SchedulerLink, leave: Leave) -> None:
    """Let the workers finish and leave; returns when the scheduler has let go.

    Raises:
        DrainRefused: they have to stay, and are back in service.
        ClusterError: the scheduler could not be asked; the workers are back in service as far as it could be reached.
    """
    if link.epoch is None:
        await fence.drain(link, leave)
        return
    committed, attempt = False, next(_attempts)
    try:
        await _fence(link, leave, attempt)
        while not committed:
            if not await _finished(link, leave):
                await _force(link, leave)
                return
            leave.commit()
            committed = True
            committed = await _let_go(link, leave)
    except DrainRefused:
        raise
    except BaseException:
        with (
            anyio.CancelScope(shield=True),
            anyio.move_on_after(fence.RESTORE_TIMEOUT),
            suppress(ClusterError),
        ):
            # Whoever was told that it cannot be called back any more is to be right.
            if not committed or not await _let_go(link, leave):
                await _order(link, leave, "unfence", attempt=attempt)
        raise


async def _fence(link: SchedulerLink, leave: Leave, attempt: int) -> None:
    answer = await _order(link, leave, "fence", only_idle=leave.only_idle, attempt=attempt)
    if answer["refused"]:
        raise DrainRefused(answer["refused"])


async def _finished(link: SchedulerLink, leave: Leave) -> bool:
    """Wait for the end of their tasks and for their data; False when the deadline is over."""
    with anyio.CancelScope(deadline=leave.deadline):
        while True:
            async with link.patience:
                answer = await _order(link, leave, "finish", wait=WAIT)
            if answer["state"] == "refused":
                raise DrainRefused(answer["why"])
            if answer["state"] != "waiting":
                return True
    return False


async def _let_go(link: SchedulerLink, leave: Leave) -> bool:
    """Have the scheduler let go of them, or see to it that they get nothing any more; False where something has come."""
    answer = await (_order(link, leave, "remove", shut=True) if leave.close else _order(link, leave, "seal"))
    if answer["state"] == "refused":
        raise DrainRefused(answer["why"])
    return bool(answer["state"] != "busy")


async def give_back(link: SchedulerLink, addresses: Sequence[str]) -> None:
    """Put workers into service that a drain has left empty and fenced, since they could not be ended.

    Raises:
        ClusterError: the scheduler could not be asked.
    """
    if link.epoch is None:
        await fence.set_status(link, addresses, "running")
    else:
        await link.order("unfence", addresses=list(addresses), attempt=next(_attempts))


async def _force(link: SchedulerLink, leave: Leave) -> None:
    """Move the data, stop the processes in the middle of what they do, and let go of them as of planned ends.

    In this order a task that was cut off runs once more, but never twice at the same time, and counts as nobody's
    failure.
    """
    answer = await _order(link, leave, "rescue", wait=RESCUE)
    if answer["refused"]:
        raise DrainRefused(answer["refused"])
    with anyio.CancelScope(shield=True):
        leave.commit()
        if leave.halt is not None:
            await leave.halt()
        leave.forced(await _cut_off(link, leave))


async def _cut_off(link: SchedulerLink, leave: Leave) -> Lost:
    """Have the scheduler let go of workers that have stopped. There is no way back, whatever it answers."""
    try:
        with anyio.fail_after(fence.RESTORE_TIMEOUT):
            lost = await _order(link, leave, "force", shut=leave.close and leave.halt is None)
    except (ClusterError, TimeoutError):
        if leave.halt is None:
            raise
        return Lost()  # it finds out by itself, as of lost workers
    return Lost(lost["tasks"], lost["seconds"], lost["bytes"])


async def _order(link: SchedulerLink, leave: Leave, what: str, **arguments: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await link.order(what, addresses=list(leave.addresses), **arguments)
    except AlreadyDriven as error:
        # The fences went with our turn as the driver.
        raise DrainRefused(f"it is back in service: {error}") from error
    return answer
