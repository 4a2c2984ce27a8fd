"""The same number of workers as the installed scheduler's ``adaptive_target``, where that is right.

The scheduler's own methods run on a stand-in for its state. Left out is what `load_of` answers otherwise on purpose:
classes of tasks, growth by data, and answers below what the work asks for (dask/distributed#4471).
"""

from __future__ import annotations

import math
from types import SimpleNamespace

from distributed import Scheduler
from hypothesis import assume, given
from hypothesis import strategies as st

from trio_adaptive.decision.model import Work
from trio_adaptive.decision.targets import load_of

KNOWN = 0.5  # seconds that a task takes


class Stand(SimpleNamespace):
    """As much of a scheduler as its rule looks at."""

    workers_to_close = Scheduler.workers_to_close

    def _get_prefix_duration(self, prefix):
        return KNOWN


class _Task:
    def __init__(self, prefix):
        self.prefix = prefix


def scheduler(threads, processing, queued, unrunnable, *, limit=0, stored=0):
    """Workers with these numbers of tasks, and further ones; ``stored`` bytes on each."""
    tasks = [_Task(i) for i in range(queued + unrunnable)]
    workers = {
        f"w{i}": SimpleNamespace(
            address=f"w{i}",
            nthreads=threads,
            processing=dict.fromkeys(range(n), KNOWN),
            long_running=set(),
            memory_limit=limit,
            nbytes=stored,
        )
        for i, n in enumerate(processing)
    }
    return Stand(
        queued=tasks[:queued],
        unrunnable=dict.fromkeys(tasks[queued:], 0.0),
        total_occupancy=KNOWN * sum(processing),
        workers=workers,
        plugins={},
    )


def work_of(stand):
    """What our probe would tell of it."""
    workers = stand.workers.values()
    processing = sum(len(w.processing) for w in workers)
    tasks = processing + len(stand.queued) + len(stand.unrunnable)
    return Work(
        workers=len(workers),
        busy=sum(bool(w.processing) for w in workers),
        threads=sum(w.nthreads for w in workers),
        processing=processing,
        queued=len(stand.queued),
        waiting=len(stand.unrunnable),
        seconds=KNOWN * tasks,
        stored=sum(w.nbytes for w in workers),
        memory_limit=sum(w.memory_limit for w in workers),
    )


fleets = st.lists(st.integers(0, 12), max_size=12)
"""How many tasks each worker has."""


@given(
    threads=st.integers(1, 8),
    processing=fleets,
    queued=st.integers(0, 150),
    unrunnable=st.integers(0, 30),
    target_duration=st.sampled_from([0.25, 1, 5, 60]),
)
def test_the_same_size_as_the_scheduler_asks_for(threads, processing, queued, unrunnable, target_duration):
    stand = scheduler(threads, processing, queued, unrunnable, limit=1000)
    work = work_of(stand)
    theirs = Scheduler.adaptive_target(stand, target_duration)
    ours = load_of(work, target_duration, None).target
    if theirs >= work.workers:
        # Theirs divides and extrapolates in floating point, where a hair more than a whole number costs one more.
        hair_more = min(
            work.processing + queued + unrunnable, math.ceil(work.seconds * (1 + 1e-9) / target_duration)
        )
        if work.workers:
            hair_more = math.ceil(hair_more / work.threads * work.workers)
        assert ours <= theirs <= max(ours, hair_more)
    else:
        assert theirs == work.busy
        assert theirs <= ours <= work.workers


@given(processing=fleets, limit=st.integers(0, 50), stored=st.integers(0, 30))
def test_data_keeps_as_many_workers_as_the_scheduler_does(processing, limit, stored):
    # The target duration is long, so that only what is there keeps workers.
    stand = scheduler(1, processing, 0, 0, limit=limit, stored=stored)
    work = work_of(stand)
    assume(work.stored <= 0.6 * work.memory_limit)
    theirs = Scheduler.adaptive_target(stand, 1e9)
    assert load_of(work, 1e9, None).target == max(theirs, int(work.stored > 0))


def test_the_comparison_sees_growing_and_shrinking():
    growing, shrinking = scheduler(2, [4, 4], 40, 0), scheduler(2, [1, 0, 0], 0, 0, limit=10)
    assert Scheduler.adaptive_target(growing, 1) == load_of(work_of(growing), 1, None).target == 12
    assert Scheduler.adaptive_target(shrinking, 1) == load_of(work_of(shrinking), 1, None).target == 1
