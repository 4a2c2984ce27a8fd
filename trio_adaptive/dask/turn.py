"""How a turn as the driver of a scheduler begins: the probe is installed, and asked for the lease."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from attrs import frozen
from distributed.core import send_recv

from trio_adaptive.dask.link import PREFIX, SchedulerLink, scheduler_errors
from trio_adaptive.dask.shipping import install
from trio_adaptive.dask.streams import LEAVE_TIMEOUT, connected
from trio_adaptive.errors import AlreadyDriven, ClusterError

ATTEMPTS: Final = 8
"""How many times in a row the probe may have gone again, with its last driver, before we could use it."""


class NoProbe(ClusterError):  # noqa: N818 - the name says what is wrong
    """The scheduler forbids plugins, or the probe cannot work there."""


class DrivenByNamesake(AlreadyDriven):
    """One of our own name drives: a sibling, or an earlier turn of ours of whose end the scheduler has not heard yet."""


@frozen
class Request:
    """What is asked for.

    Attributes:
        driver: who asks, for others to read.
        ttl: how long the line may be silent, in seconds.
        take_over: take the place of another driver.
    """

    driver: str
    ttl: float
    take_over: bool


async def begin_turn(link: SchedulerLink, request: Request) -> tuple[Any, int]:
    """Get the lease. Lives on the asyncio loop.

    Returns:
        The connection that the lease lasts as long as, and the number of the turn.

    Raises:
        AlreadyDriven: another one has it.
        NoProbe: there is no lease to be had.
        ClusterError: the scheduler could not be asked.
    """
    with scheduler_errors("the line", link.address):
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(0.01 * attempt)
            comm = await connected(link)
            try:
                epoch = await _ask_for_turn(comm, link, request)
            except BaseException:
                comm.abort()
                raise
            if epoch is not None:
                return comm, epoch
            comm.abort()
    raise NoProbe(f"{link.address} does not keep the probe")


async def _ask_for_turn(comm: Any, link: SchedulerLink, request: Request) -> int | None:
    """The number of our turn; None where the probe has just gone."""
    ours = await _installed(comm, link)
    if ours is None:
        return None
    answer: dict[str, Any] | None = await send_recv(
        comm,
        op=f"{PREFIX}line",
        driver=request.driver,
        ttl=request.ttl,
        take_over=request.take_over,
        epoch=link.epoch or 0,  # of a turn of ours whose line is broken
    )
    if answer is None:
        return None
    if "epoch" not in answer:
        kind = DrivenByNamesake if answer["driver"] == request.driver else AlreadyDriven
        raise kind(
            f"{link.address} is driven by {answer['driver']}, for {answer['seconds']:.0f} s now; "
            "take_over=True (--take-over) takes its place"
        )
    if not ours:
        await _dismiss(comm)
        return None
    return int(answer["epoch"])


async def _installed(comm: Any, link: SchedulerLink) -> bool | None:
    try:
        return await install(comm)
    except OSError:  # the connection's
        raise
    except Exception as error:
        why = str(error).rstrip(".") or type(error).__name__
        raise NoProbe(
            f"{link.address} refuses the probe, so that nothing is held against a second autoscaler: {why}"
        ) from error


async def _dismiss(comm: Any) -> None:
    """Let a probe of another version go, whose only driver we are. How to say that is the same in all versions."""
    await comm.write({"op": "bye"})
    with suppress(OSError, TimeoutError):  # until the scheduler hangs up, CommClosedError, an OSError
        async with asyncio.timeout(LEAVE_TIMEOUT):
            while True:
                await comm.read()
