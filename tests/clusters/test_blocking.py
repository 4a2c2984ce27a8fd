"""A cluster object of a user's own that blocks: on the real clock, since threads do it."""

from __future__ import annotations

import logging
import threading
import time

import anyio
import pytest

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

LIMIT = 30.0


class Blocking:
    """Its first calls of ``scale`` block until they are let go."""

    def __init__(self, blocks=1):
        self.blocks = blocks
        self.workers = []
        self.go = threading.Event()
        self.calls = []

    def target(self):
        return 2

    def scale(self, n):
        self.calls.append(n)
        if len(self.calls) <= self.blocks:
            assert self.go.wait(LIMIT)
        else:
            self.workers = list(range(n))


@pytest.fixture
def cluster():
    blocking = Blocking()
    yield blocking
    blocking.go.set()
    deadline = time.monotonic() + LIMIT
    while any(" from " in thread.name for thread in threading.enumerate()):  # as trio calls one that works
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_call_that_blocks_is_given_up_with_a_warning_and_done_again(cluster, caplog):
    options = {"interval": 0.02, "request_timeout": 0.1, "retry_delay": 0.02}
    with caplog.at_level(logging.WARNING, "trio_adaptive"), anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options) as scaler:
            await scaler.wait_for(2)
            assert scaler.statistics().samples > 3  # it has been looked at meanwhile
        assert cluster.calls == [2, 2]
    (said,) = [message for message in caplog.messages if "thread" in message]
    assert said == "scale() of Blocking hangs in a thread; nobody waits for it any more"
    cluster.go.set()


async def test_a_call_that_blocks_does_not_hold_up_the_end(cluster):
    options = {"interval": 0.02, "request_timeout": 60, "shutdown_timeout": 0.1}
    with anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options):
            while not cluster.calls:
                await anyio.sleep(0.01)
            begun = anyio.current_time()
        assert anyio.current_time() - begun < 5
    cluster.go.set()


async def test_a_cluster_that_always_hangs_does_not_use_up_the_threads(cluster):
    cluster.blocks = 99
    options = {"interval": 0.02, "request_timeout": 0.05, "retry_delay": 0.02, "retry_delay_max": 0.02}
    with anyio.fail_after(LIMIT):
        async with adaptive(cluster, **options) as scaler:
            while "4 calls before it have not ended yet" not in scaler.statistics().last_error:
                await anyio.sleep(0.01)
            assert len(cluster.calls) == 4
            assert scaler.statistics().samples_failed == 0  # target() is another matter
            cluster.blocks = 0
            cluster.go.set()
            await scaler.wait_for(2)
