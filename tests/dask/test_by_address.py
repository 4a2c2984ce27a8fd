"""The scheduler of these tests is attached to by its address, and does not have this package."""

from __future__ import annotations

import importlib

import anyio.to_thread
import pytest
from dask_worlds import a_world

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def imports_us(dask_scheduler):
    try:
        importlib.import_module("trio_adaptive")
    except ImportError:
        return False
    return True


imports_us.__module__ = "__main__"  # so that it is sent by value


async def test_the_probe_works_where_this_package_cannot_be_imported(shared_scheduler):
    async with a_world(shared_scheduler, driven=True) as world:
        assert await anyio.to_thread.run_sync(world.client.run_on_scheduler, imports_us) is False
        assert (await world.link.ask_probe("hello"))["driver"] == "a test"


async def test_a_scheduler_that_forbids_plugins_is_driven_without(strict_scheduler):
    async with a_world(strict_scheduler, driven=True, plugins=False) as world:
        assert await world.link.ask("trio_adaptive_hello") is None
        assert "register_scheduler_plugin" in world.link.degraded
        assert (await world.link.target(5.0)).degraded == world.link.degraded
