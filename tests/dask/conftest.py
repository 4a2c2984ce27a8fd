from __future__ import annotations

import anyio
import anyio.from_thread
import pytest
from real_dask import Counting

from trio_adaptive.clusters.scheduler import embedded_scheduler


@pytest.fixture(scope="session")
def shared_scheduler():
    """The address of one scheduler for all tests that leave it as they found it."""
    with (
        anyio.from_thread.start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(embedded_scheduler(dashboard_address=None)) as scheduler,
    ):
        yield scheduler.address


@pytest.fixture
def counting(tmp_path):
    return Counting(tmp_path)
