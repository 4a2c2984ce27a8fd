from __future__ import annotations

import anyio
import anyio.from_thread
import pytest
from real_dask import FORBIDDEN, Counting, a_scheduler_without_us


def schedulers(tmp_path_factory, env):
    with (
        anyio.from_thread.start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(
            a_scheduler_without_us(tmp_path_factory.mktemp("scheduler"), env)
        ) as address,
    ):
        yield address


@pytest.fixture(scope="session")
def shared_scheduler(tmp_path_factory):
    """The address of one scheduler for all tests that leave it as they found it. It cannot import this package."""
    yield from schedulers(tmp_path_factory, {})


@pytest.fixture(scope="session")
def strict_scheduler(tmp_path_factory):
    """The address of one that forbids plugins, besides."""
    yield from schedulers(tmp_path_factory, FORBIDDEN)


@pytest.fixture
def counting(tmp_path):
    return Counting(tmp_path)
