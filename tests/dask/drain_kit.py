"""What the tests of the drain share: the terms, a drain under way, and whether a worker works."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
from attrs import define
from real_dask import until

from trio_adaptive.dask.drain import drain
from trio_adaptive.dask.leave import Leave
from trio_adaptive.decision.model import Lost
from trio_adaptive.errors import DrainRefused


@define
class Attempt:
    """One drain: whether it has committed itself, why it was refused, and what it has cost where it was forced."""

    committed: bool = False
    refusal: str = ""
    lost: Lost | None = None
    scope: anyio.CancelScope | None = None

    def commit(self):
        self.committed = True

    def forced(self, lost):
        self.lost = lost

    async def run(self, world, addresses, **more):
        """Drain; a refusal is kept."""
        try:
            await drain(world.link, leaving(addresses, self, **more))
        except DrainRefused as error:
            self.refusal = str(error)


def leaving(addresses, attempt=None, **more):
    """The terms of a drain."""
    told = attempt or Attempt()
    return Leave(addresses, told.commit, told.forced, **more)


async def drained(world, *names, **more):
    """Drain these workers, as one unit, to the end; returns how it went."""
    attempt = Attempt()
    await attempt.run(world, [await world.address_of(name) for name in names], **more)
    return attempt


async def has_status(world, name, status):
    """Wait until the scheduler says so."""

    async def so():
        roster = await world.link.roster(refresh=True)
        return name in roster and roster[name].status == status

    await until(so)


@asynccontextmanager
async def draining(world, name, **more):
    """A drain under way, which stands when the block begins; the block cancels it or lets it come to its end."""
    attempt = Attempt()
    address = await world.address_of(name)
    async with anyio.create_task_group() as tasks:
        attempt.scope = tasks.cancel_scope
        tasks.start_soon(lambda: attempt.run(world, [address], **more))
        await has_status(world, name, "closing_gracefully")
        yield attempt


async def works(world, name):
    """Whether a worker takes a task that may run nowhere else, and executes it."""
    future = world.client.submit(lambda: "done", workers=[name], pure=False)
    return await world.gather(future) == "done"
