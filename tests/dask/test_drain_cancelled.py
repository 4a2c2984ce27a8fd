"""A drain with the probe that is cancelled at its first pause, then at its second, and so on, at every stage.

Whenever that is, the worker is in service or gone, and no fence stands.
"""

from __future__ import annotations

from itertools import count

import anyio
import anyio.to_thread
import pytest
from attrs import define
from dask_worlds import a_world
from drain_kit import Attempt

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

LATER = (0.0, 0.003)
"""Seconds from the pause to the cancellation: before the call is sent, and while it is answered."""

BYTES = 3_000_000
"""Of data that takes a moment to move."""


@define
class Pausing:
    """Awaits a coroutine, and calls a function before its ``k``-th pause."""

    coroutine: object
    k: int
    function: object
    reached: bool = False

    def __await__(self):
        step, argument = self.coroutine.send, None
        for i in count(1):
            try:
                wanted = step(argument)
            except StopIteration:
                return
            if i == self.k:
                self.reached = True
                self.function()
            try:
                step, argument = self.coroutine.send, (yield wanted)
            except BaseException as error:  # noqa: BLE001 - handed on
                step, argument = self.coroutine.throw, error


async def cancelled_at(k, later, world, address):
    """Drain, and cancel that so many seconds after its ``k``-th pause; returns how it went, or None where it ended first."""
    attempt = Attempt()
    async with anyio.create_task_group() as tasks:

        async def cancel():
            await anyio.sleep(later)
            tasks.cancel_scope.cancel()

        def interrupt():
            if later:
                tasks.start_soon(cancel)
            else:
                tasks.cancel_scope.cancel()

        pausing = Pausing(attempt.run(world, [address]), k, interrupt)
        await pausing
        tasks.cancel_scope.cancel()
    return attempt if pausing.reached else None


def standing(dask_scheduler):
    return list(dask_scheduler.plugins["trio-adaptive"].fences.fenced)


standing.__module__ = "__main__"  # so that it is sent by value


@pytest.mark.parametrize("stage", ["tasks run", "data moves", "removing"])
async def test_cancelled_at_any_pause_it_is_in_service_or_gone(shared_scheduler, counting, stage):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("other")
        futures, data, outcomes = {}, [], set()
        for turn in count():
            later, k = LATER[turn % len(LATER)], turn // len(LATER) + 1
            name = await somebody(world, f"w{turn}")
            if stage == "tasks run":
                key = f"t{turn}"
                futures[key] = world.client.submit(
                    counting.task(), key, 0.05, workers=[name], allow_other_workers=True
                )
                await counting.wait(len(futures))
            elif stage == "data moves":
                data += await anyio.to_thread.run_sync(scattered, world, name)
            attempt = await cancelled_at(k, later, world, await world.address_of(name))
            if attempt is None:
                break
            outcomes.add(await consistent(world, name, attempt))
        assert outcomes == {"in service", "gone"}
        assert await world.gather(futures) == {key: key for key in futures}
        assert counting.executions == dict.fromkeys(futures, 1)
        assert [len(value) for value in await world.gather(data)] == [BYTES] * len(data)


async def somebody(world, name):
    """Who was there before, or a new worker of this name."""
    others = [each for each in await world.link.roster(refresh=True) if each != "other"]
    if not others:
        await world.start(name)
    return others[0] if others else name


async def consistent(world, name, attempt):
    assert await anyio.to_thread.run_sync(world.client.run_on_scheduler, standing) == []
    assert attempt.refusal == ""
    roster = await world.link.roster(refresh=True)
    if name not in roster:
        return "gone"
    assert (attempt.committed, roster[name].status) == (False, "running")
    return "in service"


def scattered(world, name):
    return world.client.scatter([bytes(BYTES)], workers=[name], hash=False)
