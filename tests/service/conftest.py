"""The command line as a process of its own, and scripts for it."""

from __future__ import annotations

import sys

import pytest
from service_process import services


@pytest.fixture
def service(tmp_path):
    """Starts services; what a failing test leaves of them is ended."""
    with services(tmp_path) as start:
        yield start


@pytest.fixture
def script(tmp_path):
    """Writes a script; gives the command that runs it."""

    def write(code: str) -> list[str]:
        path = tmp_path / "script.py"
        path.write_text(code)
        return [sys.executable, str(path)]

    return write
