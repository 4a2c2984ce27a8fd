"""The policy ``dask`` says what the installed scheduler's own methods say, floating point and all."""

from __future__ import annotations

from attrs import evolve
from distributed import Scheduler
from hypothesis import given
from hypothesis import strategies as st
from test_differential_target import scheduler, work_of

from trio_adaptive.decision.model import Load
from trio_adaptive.decision.policy import View
from trio_adaptive.decision.targets.simple import Dask


def said(stand, target_duration):
    """What the policy says of this scheduler."""
    # Dask looks at the first 100 of a longer queue, which here are all alike.
    work = work_of(stand)
    queued = len(stand.queued) + len(stand.unrunnable)
    seconds = 0.5 * min(queued, 100) * (queued / 100 if queued > 100 else 1)
    work = evolve(work, seconds=stand.total_occupancy + seconds)
    return Dask(target_duration).advise(View(0.0, Load(0, work=work), registered=work.workers))[1].target


@given(
    threads=st.integers(1, 8),
    processing=st.lists(st.integers(0, 12), max_size=12),
    queued=st.integers(0, 250),
    unrunnable=st.integers(0, 30),
    limit=st.integers(0, 50),
    stored=st.integers(0, 50),
    target_duration=st.sampled_from([0.25, 1, 5, 60]),
)
def test_the_same_target(*, threads, processing, queued, unrunnable, limit, stored, target_duration):
    stand = scheduler(threads, processing, queued, unrunnable, limit=limit, stored=stored)
    assert said(stand, target_duration) == Scheduler.adaptive_target(stand, target_duration)


def test_the_same_slip_of_floating_point():
    # 31 / 30 * 30 is a hair above 31, and so one worker too many.
    stand = scheduler(1, [1] * 30, 1, 0, limit=1000)
    assert said(stand, 0.001) == Scheduler.adaptive_target(stand, 0.001) == 32


def test_the_comparison_sees_growth_by_data_and_idle_workers_kept_for_it():
    full, roomy = (
        scheduler(1, [0, 0], 0, 0, limit=10, stored=9),
        scheduler(1, [0] * 4, 0, 0, limit=10, stored=3),
    )
    assert said(full, 5) == Scheduler.adaptive_target(full, 5) == 4
    assert said(roomy, 5) == Scheduler.adaptive_target(roomy, 5) == 3
