"""The runtime is tested on virtual clocks, on both backends, and leaves nothing behind."""

from __future__ import annotations

import pytest
from virtual_clock import virtual


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual(request.param)


@pytest.fixture(autouse=True)
def _leaves_nothing(nothing_left):
    return
