"""The task-safe drain with the scheduler's stock handlers: fence, finish, move, confirm.

**Fence**: the worker's status becomes ``closing_gracefully`` *on the scheduler only*. It gets no new tasks and goes on
with those that it has, executing and queued. **Finish**: wait until it has none. **Move and confirm**:
``retire_workers`` moves its unique data to others, closes it and answers whom it could retire. Whoever is missing from
the answer holds data that fits nowhere else, and goes back to service.

The limits of stock handlers: a task that may run only on the fenced worker and arrives now has to wait until the drain
is refused or over; and nothing guards the moment between the last look at its tasks and the retirement, in which a
stolen task may still land there (it is then not started, and runs elsewhere).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

import anyio
from distributed.comm.core import CommClosedError, connect

from trio_adaptive.dask.leave import Leave
from trio_adaptive.dask.link import SchedulerLink, scheduler_errors
from trio_adaptive.decision.model import Lost
from trio_adaptive.errors import ClusterError, DrainRefused

POLL: Final = 0.05
"""Time between two looks at a fenced worker's tasks, in seconds."""

RENEW: Final = 5.0
"""Time after which a fence is set again while its worker finishes, in seconds: the worker's own word (paused, running
again) lifts it."""

RESTORE_TIMEOUT: Final = 5.0
"""How long giving a worker back to service may take when the drain is cancelled or refused, in seconds."""

CONFIRM: Final = 0.5
"""How long a worker may take to confirm that it is back in service before it is tried again, in seconds."""

ROUNDS: Final = 5
"""How often workers that stay are retired at most, until they have no copies of data; those of proxies of actors stay."""

_stimuli = itertools.count()


async def drain(link: SchedulerLink, leave: Leave) -> None:
    """Let the workers finish and leave; see `trio_adaptive.dask.drain.drain`."""
    asked = False
    try:
        await set_status(link, leave.addresses, "closing_gracefully")
        if leave.only_idle:
            await _check_idle(link, leave.addresses)
        with anyio.CancelScope(deadline=leave.deadline):
            await _finish(link, leave.addresses)
        left = await link.processing(leave.addresses)
        leave.commit()
        asked = True
        await _retire(link, leave.addresses, close=leave.close)
        if left:
            # How long they had run, and what data was lost with them, is beyond stock handlers.
            leave.forced(Lost(tasks=left))
    except DrainRefused:
        raise
    except BaseException:
        # The scheduler goes on with a retirement that nobody waits for any more, and may refuse it in the end: asking
        # once more is how to learn that, and harmless to workers that have gone.
        end = (
            _retire(link, leave.addresses, close=leave.close)
            if asked
            else set_status(link, leave.addresses, "running")
        )
        with anyio.CancelScope(shield=True), anyio.move_on_after(RESTORE_TIMEOUT), suppress(ClusterError):
            await end
        raise


async def _check_idle(link: SchedulerLink, addresses: Sequence[str]) -> None:
    if await link.processing(addresses):
        await set_status(link, addresses, "running")
        raise DrainRefused("it has work again")


async def _retire(link: SchedulerLink, addresses: Sequence[str], *, close: bool) -> None:
    """Have their data moved, and close them; or empty them where they stay, so that nobody counts on their copies.

    Another one that leaves meanwhile would drop its own copies for theirs. A retirement begins with dropping what has
    been moved by the one before.
    """
    for _ in range(1 if close else ROUNDS):
        retired = await link.retire(addresses, close=close)
        refused = [address for address in addresses if address not in retired]
        if refused:
            await _after_refusal(link, refused)
        if close or not await link.stored(addresses):
            return


async def _finish(link: SchedulerLink, addresses: Sequence[str]) -> None:
    while True:
        await set_status(link, addresses, "closing_gracefully")
        if not await link.processing(addresses):  # asked after the fence was known to stand
            return
        with anyio.move_on_after(RENEW):
            while await link.processing(addresses):
                await anyio.sleep(POLL)


async def set_status(
    link: SchedulerLink, addresses: Sequence[str], status: Literal["closing_gracefully", "running"]
) -> None:
    """Set the workers' status on the scheduler, and there only; returns when it is set.

    A stream has no answers, but it is closed by the scheduler once everything in it has been dealt with.
    """
    messages: list[dict[str, str]] = [
        {
            "op": "worker-status-change",
            "worker": address,
            "status": status,
            "stimulus_id": f"trio-adaptive-{status}-{next(_stimuli)}",
        }
        for address in addresses
    ]

    async def write() -> None:
        comm = await connect(link.address, **link.connection_args)
        try:
            await comm.write({"op": "connection_stream", "reply": False})
            await comm.write([*messages, {"op": "close-stream"}])
            with suppress(CommClosedError):
                await comm.read()
        finally:
            comm.abort()

    with scheduler_errors("changing a worker's status", link.address):
        await link.caller.call(write)


async def _after_refusal(link: SchedulerLink, addresses: Sequence[str]) -> None:
    """Give refused workers back to service, or see them leave after all.

    The refused retirement has told the worker itself to close gracefully, and restores only the status from before,
    which was our fence. So the fence is lifted and the workers are retired once more: the second refusal restores
    ``running`` on both sides. Tasks that arrive in between wait on the worker for that moment.

    The worker repeats every status on its own line. One of the first refusal that comes late sets the fence again, and
    is then what the second one restores: hence until it is known to have served.
    """
    present = {info.address for info in (await link.roster(refresh=True)).values()}
    kept = [address for address in addresses if address in present]
    # Shielded, since nobody else would give them back.
    with anyio.move_on_after(RESTORE_TIMEOUT, shield=True):
        fenced = kept
        while fenced:
            await set_status(link, fenced, "running")
            emptied = await link.retire(fenced, close=False)
            if emptied:  # a recipient has turned up meanwhile
                await link.retire(sorted(emptied), close=True)
                kept = [address for address in kept if address not in emptied]
            fenced = await _still_fenced(link, kept)
    if kept:
        raise DrainRefused(
            f"the scheduler keeps {', '.join(kept)}: data that only this worker has fits on no other worker"
        )


async def _still_fenced(link: SchedulerLink, addresses: Sequence[str]) -> list[str]:
    """Those of the workers that do not confirm within `CONFIRM` that they are back in service."""
    end = anyio.current_time() + CONFIRM
    while True:
        workers = (await link.roster(refresh=True)).values()
        fenced = [w.address for w in workers if w.address in addresses and w.status == "closing_gracefully"]
        if not fenced or anyio.current_time() >= end:
            return fenced
        await anyio.sleep(POLL)
