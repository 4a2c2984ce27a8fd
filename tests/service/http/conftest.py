"""The API is tested on trio, which the service is a program of, and leaves nothing behind."""

from __future__ import annotations

import pytest
from http_world import open_world


@pytest.fixture
def anyio_backend():
    return "trio"


@pytest.fixture(autouse=True)
def _leaves_nothing(nothing_left):
    return


@pytest.fixture
def world():
    return open_world
