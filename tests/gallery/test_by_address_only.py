"""A whole life at a scheduler that is known by its address only: grow, a lowered maximum, back to nothing."""

from __future__ import annotations

import anyio
import pytest
from gallery_scenes import a_scene_at, observed, outcomes, until_so
from real_dask import FORBIDDEN, LIMIT, a_scheduler_without_us

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

KEYS = [f"t{i}" for i in range(60)]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.mark.parametrize("plugins", [True, False], ids=["probe", "stock"])
async def test_every_task_is_executed_once_wherever_the_scheduler_runs(counting, tmp_path, plugins, caplog):
    """dask/distributed#3863, without this package at the scheduler, and without plugins as well."""
    options = {"maximum": 3, "interval": 0.1, "idle_timeout": 0.3, "target_duration": 0.2}
    (tmp_path / "scheduler").mkdir()
    with anyio.fail_after(LIMIT):
        async with (
            a_scheduler_without_us(tmp_path / "scheduler", {} if plugins else FORBIDDEN) as address,
            a_scene_at(address) as scene,
            adaptive(scene.cluster, **options) as scaler,
        ):
            futures = scene.client.map(counting.task(), KEYS, [0.05] * len(KEYS), pure=False)
            await until_so(scaler, lambda: observed(scaler) == 3)
            scaler.set_limits(maximum=1)
            await until_so(scaler, lambda: observed(scaler) == 1)
            assert await scene.gather(futures) == KEYS
            assert counting.executions == dict.fromkeys(KEYS, 1)
            del futures
            await until_so(scaler, lambda: len(outcomes(scaler, "drain")) == 3)
            assert [outcome.result for outcome in outcomes(scaler, "drain")] == ["done"] * 3
            assert (await scene.roster(), scene.cluster.pids) == ({}, {})
            said = [
                record.message for record in caplog.records if "register_scheduler_plugin" in record.message
            ]
            degraded = scaler.statistics().degraded
            assert said == ([] if plugins else [f"Degraded: {degraded}"])
            assert (degraded == "") == plugins
