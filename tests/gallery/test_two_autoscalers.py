"""Two autoscalers on one scheduler: the second one is refused by the first one's name, or takes over when told to."""

from __future__ import annotations

import pytest
from gallery_scenes import a_scene, given_back, looks, observed, until_so

from trio_adaptive import AlreadyDriven, adaptive
from trio_adaptive.clusters.command import command_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

QUICK = {"interval": 0.1, "idle_timeout": 0, "wait_count": 1}


async def test_one_with_a_minimum_and_one_without_do_not_start_and_stop_workers_for_ever():
    """dask/distributed#9307 and dask/distributed#6907."""
    async with (
        a_scene() as scene,
        command_cluster(scene.client.scheduler.address) as another,
        adaptive(scene.cluster, minimum=0, maximum=2, driver="frugal", **QUICK) as frugal,
    ):
        with pytest.raises(AlreadyDriven, match="is driven by frugal"):
            async with adaptive(another, minimum=2, **QUICK):
                pytest.fail("there are two")
        await looks(frugal, 3)
        assert observed(frugal) == 0
        async with adaptive(another, minimum=2, driver="generous", take_over=True, **QUICK) as generous:
            await frugal.wait_stopped()
            assert frugal.statistics().stop_reason == "taken over by generous"
            await until_so(generous, lambda: observed(generous) == 2)
            before = set(another.pids.values())
            await looks(generous, 10)
            assert set(another.pids.values()) == before
            assert given_back(generous) == []


async def test_two_on_one_object_are_one_too_many():
    async with (
        a_scene() as scene,
        adaptive(scene.cluster, minimum=1, **QUICK) as first,
    ):
        with pytest.raises(AlreadyDriven, match="by this program, through the same object"):
            async with adaptive(scene.cluster, take_over=True):
                pytest.fail("there are two")
        await until_so(first, lambda: observed(first) == 1)
