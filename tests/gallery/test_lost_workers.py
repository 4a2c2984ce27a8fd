"""A worker process dies without a word."""

from __future__ import annotations

import os
import signal

import anyio
import pytest
from gallery_scenes import a_scene, observed, until_so

from trio_adaptive import adaptive
from trio_adaptive.decision.model import Launch

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

INTERVAL = 4.0


async def test_a_killed_worker_is_replaced_within_two_intervals(counting):
    """Where a ``SpecCluster`` waits for 15 seconds, its ``lost-worker-timeout``, the process itself tells us."""
    options = {"minimum": 2, "maximum": 2, "interval": INTERVAL, "min_interval": 0.05}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        await scene.until_running(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        before = dict(scene.cluster.pids)
        unit, victim = next(iter(before.items()))
        killed = anyio.current_time()
        os.kill(victim, signal.SIGKILL)
        with anyio.fail_after(2 * INTERVAL):
            await until_so(scaler, lambda: unit not in scene.cluster.pids and observed(scaler) == 2)
        launches = [
            record.decision
            for record in scaler.history
            if record.decision is not None and any(isinstance(a, Launch) for a in record.decision.actions)
        ]
        assert launches[-1].at - killed < 2 * INTERVAL
        await scene.until_running(2)
        assert await scene.gather(scene.client.submit(lambda: "works", pure=False)) == "works"
        [survivor] = before.items() & scene.cluster.pids.items()
        assert survivor[0] != unit
