"""What all tests share: both backends, on the real or a virtual clock, and the check that nothing is left behind.

A test of ours that has a process, a thread or a socket asks for `anyio_backend` and gets the real clock. Everything
else runs on a virtual one: mark it with `virtual_clock`, which overrides the fixture's parameters.
"""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest
from virtual_clock import virtual


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Both backends; ``virtual asyncio`` and ``virtual trio`` are the same on virtual clocks."""
    clock, _, backend = request.param.rpartition(" ")
    return virtual(backend) if clock else backend


@pytest.fixture
def nothing_left():
    """No thread, child process or descriptor, and no unclosed stream, stays behind when the test has ended."""
    threads, files = _threads(), _files()
    yield
    gc.collect()  # what has not been closed warns now, and a warning is an error
    assert _threads() <= threads
    assert _files() == files
    with pytest.raises(ChildProcessError):  # not even a zombie
        os.waitpid(-1, os.WNOHANG)


def _threads() -> set[threading.Thread]:
    # trio keeps threads for the next use; one that has work to do has another name.
    return {t for t in threading.enumerate() if not t.name.startswith("Trio thread")}


def _files() -> dict[str, str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return {}
    found = {}
    for each in folder.iterdir():
        try:
            found[each.name] = str(each.readlink())
        except FileNotFoundError:  # the descriptor that listed the folder
            continue
    return found
