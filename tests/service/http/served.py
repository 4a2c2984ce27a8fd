"""A service in a thread of its own, for clients that are programs."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import trio
from http_world import open_world


@contextmanager
def served(**options):
    """The URL of a service with one cluster that wants two workers; it ends with the block."""
    ready, ended = threading.Event(), trio.Event()
    told = {}

    async def main():
        async with open_world(2, limit=300, **options) as here:
            told.update(here=here, token=trio.lowlevel.current_trio_token())
            ready.set()
            with trio.CancelScope(shield=True):
                await ended.wait()

    thread = threading.Thread(target=trio.run, args=[main])
    thread.start()
    assert ready.wait(30)
    try:
        yield told["here"]
    finally:
        told["token"].run_sync_soon(ended.set)
        thread.join(30)
        assert not thread.is_alive()
