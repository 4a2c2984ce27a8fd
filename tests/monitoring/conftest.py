"""Prometheus and its tools, where they are."""

from __future__ import annotations

import subprocess

import pytest
import trio
from debian_packages import program, require
from metrics_kit import an_exposition
from trio.testing import MockClock


@pytest.fixture(scope="session")
def promtool():
    """Runs Prometheus's own checker; gives what it says, and fails where it finds something."""
    require(["promtool"])

    def run(*arguments, text=b""):
        done = subprocess.run(
            [program("promtool"), *arguments], input=text, capture_output=True, timeout=60, check=False
        )
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        return said

    return run


@pytest.fixture(scope="session")
def metrics():
    """The text of all metrics that there are."""
    return trio.run(an_exposition, clock=MockClock(autojump_threshold=0))
