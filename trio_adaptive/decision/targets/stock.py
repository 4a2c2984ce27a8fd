"""The correction of the scheduler's own ``adaptive_target``, where nothing but that is known."""

from __future__ import annotations

import math
from typing import Final

from trio_adaptive.decision.model import Load

MEMORY_SHARE: Final = 0.6
"""The scheduler's own, see `distributed.Scheduler.adaptive_target`."""


def wanted_workers(load: Load) -> int:
    """The target of Dask's rule, but as many workers for stored data as it needs, where that is what it is for.

    `Scheduler.adaptive_target` doubles the workers when their results take more than `MEMORY_SHARE` of their memory,
    and doubles again while the data is still where it was (dask/distributed#6826). What is needed is
    ``ceil(used / (MEMORY_SHARE * limit of one worker))``. That it was the data that asked is certain only while there
    are fewer tasks than threads; under more work the scheduler's number stands.
    """
    memory = load.memory
    if memory is None or not memory.limit or load.processing is None:
        return load.target
    if load.target != 2 * memory.workers or load.processing >= memory.threads:
        return load.target
    needed = math.ceil(memory.used * memory.workers / (MEMORY_SHARE * memory.limit))
    return min(load.target, max(memory.workers, needed))
