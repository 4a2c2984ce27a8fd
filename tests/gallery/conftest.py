from __future__ import annotations

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
