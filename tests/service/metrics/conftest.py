"""Metrics are read from scalers on a virtual clock."""

from __future__ import annotations

import pytest
from virtual_clock import virtual


@pytest.fixture
def anyio_backend():
    return virtual("trio")
