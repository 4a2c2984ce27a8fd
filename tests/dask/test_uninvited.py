"""A worker whose start has been called off gets no work if it comes all the same."""

from __future__ import annotations

import anyio
import pytest
from dask_worlds import a_world
from drain_kit import has_status, works

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


async def turn_away(world, *names):
    answer = await world.link.order("turn_away", names=list(names))
    return list(answer["here"])


async def expect(world, *names, back):
    await world.link.order("expect", names=list(names), back=back)


async def test_it_gets_none_until_it_is_wanted_after_all(shared_scheduler, counting):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("here")
        assert await turn_away(world, "here", "late") == ["here"]
        futures = world.client.map(counting.gated_task(), [f"t{i}" for i in range(6)])
        await counting.wait(1)
        await world.start("late", wait=False)
        await has_status(world, "late", "closing_gracefully")
        assert await world.link.processing([await world.address_of("late")]) == 0
        await world.start("other")  # who comes later gets what the uninvited one did not
        await counting.wait(2)
        assert await world.link.processing([await world.address_of("late")]) == 0
        await expect(world, "late", back=True)
        await counting.wait(3)
        counting.open_gate()
        assert await world.gather(futures) == [f"t{i}" for i in range(6)]
        assert set(counting.executions.values()) == {1}
        assert await works(world, "late")


async def test_the_name_is_free_again_afterwards(shared_scheduler):
    async with a_world(shared_scheduler, driven=True) as world:
        await world.start("here")
        assert await turn_away(world, "late") == []
        await expect(world, "late", back=False)
        await world.start("late")
        assert await works(world, "late")


async def test_it_is_in_service_when_nobody_drives_any_more(shared_scheduler):
    async with a_world(shared_scheduler) as world:
        async with a_world(shared_scheduler, driven=True) as driven:
            await turn_away(driven, "late")
            await world.start("late", wait=False)
            await has_status(driven, "late", "closing_gracefully")
        with anyio.fail_after(10):
            await has_status(world, "late", "running")
        assert await works(world, "late")
