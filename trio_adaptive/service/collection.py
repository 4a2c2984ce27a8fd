"""How often Python looks through everything that is kept for what nobody needs any more.

Such a look stops the whole program, for half a second with the records of a thousand clusters, and with that many
clusters it would come every few seconds: every other cluster would be looked at that much too late. Decisions leave
next to nothing behind that needs it.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def seldom_collected(clusters: int) -> Generator[None]:
    """Full collections come as many times more seldom as there are clusters, so that each is worth a full one."""
    young, middle, full = gc.get_threshold()
    gc.set_threshold(young, middle, full * max(1, clusters))
    try:
        yield
    finally:
        gc.set_threshold(young, middle, full)
