from __future__ import annotations
import contextlib
import pytest
import anyio
from trio_adaptive.testing import *
pytestmark = pytest.mark.anyio
virtual = pytest.mark.parametrize("anyio_backend", ["virtual asyncio", "virtual trio"], indirect=True)

@virtual
async def test_fake(anyio_backend):
    @contextlib.asynccontextmanager
    async def opening():
        yield FakeCluster(startup=3, drain_time=5, stop_time=2, accept=1)
    await check_cluster(opening)
    assert anyio.current_time() > 1
