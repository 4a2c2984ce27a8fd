"""Workers that take long to start."""

from __future__ import annotations

import asyncio
import threading

import distributed
import pytest
from gallery_scenes import a_dask_scene, observed, threads, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]


@pytest.fixture
def slow_first():
    """Workers of which the first starts once ``gate`` is set."""

    class SlowFirst(distributed.Worker):
        gate = threading.Event()
        attempts = 0

        async def start_unsafe(self):
            SlowFirst.attempts += 1
            first = SlowFirst.attempts == 1
            while first and not SlowFirst.gate.is_set():
                await asyncio.sleep(0.01)
            return await super().start_unsafe()

    yield SlowFirst
    SlowFirst.gate.set()


async def test_a_slow_start_does_not_hold_up_the_others(slow_first):
    """dask/distributed#5919."""
    options = {"minimum": 1, "maximum": 3, "interval": 0.1}
    async with a_dask_scene(threads(kind=slow_first)) as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: slow_first.attempts == 1)
        scaler.set_limits(minimum=3)  # asked for while the first is on its way
        await until_so(scaler, lambda: observed(scaler) == 2)
        assert scaler.statistics().counts.plan == 3
        slow_first.gate.set()
        await until_so(scaler, lambda: observed(scaler) == 3)
        assert slow_first.attempts == 3


async def test_a_worker_leaves_while_another_one_starts(slow_first):
    """dask/distributed#5919."""
    options = {"maximum": 3, "interval": 0.1, "idle_timeout": 0.2}
    async with a_dask_scene(threads(kind=slow_first)) as scene, adaptive(scene.cluster, **options) as scaler:
        scaler.hold(3)
        await until_so(scaler, lambda: observed(scaler) == 2)
        scaler.hold(0)
        await until_so(scaler, lambda: scaler.statistics().counts.plan == 0)
        assert not slow_first.gate.is_set()
        slow_first.gate.set()
