"""Data that fills the workers' memory is given the room that it needs (dask/distributed#6826)."""

from __future__ import annotations

import anyio
import dask
import pytest
from distributed import Client, LocalCluster

from trio_adaptive import adaptive

pytestmark = [pytest.mark.integration, pytest.mark.gallery, pytest.mark.anyio]

LIMIT = 100_000_000
"""Bytes that a worker may use."""

NO_MONITOR = {f"distributed.worker.memory.{threshold}": False for threshold in ("target", "spill", "pause")}
"""Workers in this process would take the size of the process for their own, and pause."""


class Bulk:
    """Takes no memory, whatever it says."""

    def __sizeof__(self) -> int:
        return 70_000_000


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def unwatched():
    with dask.config.set(NO_MONITOR):
        yield


async def test_seventy_percent_of_ten_workers_are_twelve(unwatched):
    cluster = LocalCluster(
        n_workers=10, threads_per_worker=1, processes=False, memory_limit=LIMIT, dashboard_address=":0",
        asynchronous=True, silence_logs=False,
    )  # fmt: skip
    async with cluster, Client(cluster, asynchronous=True) as client:
        kept = [client.submit(Bulk, workers=[worker], pure=False) for worker in cluster.scheduler.workers]
        for future in kept:
            await future
        with anyio.fail_after(60):
            async with adaptive(cluster, interval="200ms", maximum=40) as scaler:
                await scaler.wait_for(12)
                sizes: list[int] = []
                async for record in scaler.records():
                    sizes += [record.counts.plan] if record.kind == "sample" else []
                    if len(sizes) == 10:
                        break
                assert set(sizes) == {12}
                assert scaler.statistics().wanted == 12
        assert all(future.status == "finished" for future in kept)
