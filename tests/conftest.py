"""What all tests share: both backends, on the real or a virtual clock, and the check that nothing is left behind.

A test with a process, a thread or a socket runs on the real clock; what lives wholly on the event loop on a virtual one.
"""

from __future__ import annotations

import gc

import hypothesis
import pytest
from leftovers import snapshot, threads
from virtual_clock import virtual

# A busy machine is no mistake, and the same tests say the same every time; `--hypothesis-profile searching` tries others.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.register_profile("searching", deadline=None)
hypothesis.settings.load_profile("steady")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Both backends; as ``virtual asyncio`` and ``virtual trio``, by indirect parameters, on virtual clocks."""
    clock, _, backend = request.param.rpartition(" ")
    return virtual(backend) if clock else backend


@pytest.fixture
def nothing_left():
    """No thread, child process, open file or unclosed stream stays behind when the test has ended."""
    before = snapshot()
    gc.freeze()  # what was there before is not looked through again
    yield
    gc.collect()  # what has not been closed warns now, and a warning is an error
    gc.unfreeze()
    for thread in threads():
        # Told to end with its loop, which does not wait for it; or at its end, and about to go.
        if thread.name.startswith(("AnyIO worker", "from trio_adaptive")):
            thread.join(5)
    assert snapshot() == before
