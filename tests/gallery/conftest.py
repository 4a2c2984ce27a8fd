from __future__ import annotations

import asyncio
import threading

import distributed
import pytest
from gallery_scenes import FlakyWorker
from real_dask import Counting


@pytest.fixture
def anyio_backend():
    """Both backends are at work in the tests of the parts; these scenes take their time, and are played once."""
    return "trio"


@pytest.fixture
def counting(tmp_path):
    return Counting(tmp_path)


@pytest.fixture
def flaky_worker(monkeypatch):
    monkeypatch.setattr(FlakyWorker, "attempts", 0)
    return FlakyWorker


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
