"""The policies without a memory: Dask's rule to the letter, the same repaired, a count of tasks, a fixed size."""

from __future__ import annotations

import math

from attrs import frozen

from trio_adaptive.decision.model import Work
from trio_adaptive.decision.policy import Advice, View
from trio_adaptive.decision.targets.stock import MEMORY_SHARE, wanted_workers

RATIO = 2
"""``memory_ratio`` of `distributed.Scheduler.workers_to_close`."""


def as_told(view: View, patience: float | None = None) -> Advice:
    """The load's own target, where nothing is known of the work itself."""
    return Advice(max(0, wanted_workers(view.load)), view.load.why, patience, until=math.inf)


@frozen
class Demand:
    """Dask's rule where it is right, repaired where it is not; see `trio_adaptive.decision.targets.work`.

    A worker leaves when it has been superfluous for as long as a start takes.
    """

    def advise(self, view: View) -> tuple[Demand, Advice]:
        """The target of the load."""
        return self, as_told(view)


@frozen
class Dask:
    """Dask's rule to the letter: `distributed.Scheduler.adaptive_target`, floating point and all.

    ``cpu = ceil(seconds / target_duration)``, at most as many as there are tasks, divided by the threads of an
    average worker, and at least 1 for tasks without workers; twice the workers when more than 60 % of the memory is
    used. When that is fewer than there are, the idle workers leave, as long as twice the stored data still has room
    in the memory of the others. Those superfluous for ``wait_count`` ticks go. Starts are called off.

    Two things differ: tasks are counted to the last one (Dask stops counting when they are enough, which gives the
    same), and workers are taken to have equal memory and equally much data each.

    Attributes:
        target_duration: in how many seconds the work is to be done.
    """

    target_duration: float = 5.0

    def advise(self, view: View) -> tuple[Dask, Advice]:
        """What the scheduler would say."""
        work = view.load.work
        if work is None:
            return self, as_told(view, patience=0.0)
        target = self._growing(work)
        why = f"Dask's rule: {work.seconds:.1f} s of work, to be done in {self.target_duration:g} s"
        if target < work.workers:
            target, why = work.workers - _closable(work), "Dask's rule: idle workers leave"
        return self, Advice(target, why, patience=0.0, until=math.inf)

    def _growing(self, work: Work) -> int:
        ready = work.queued + work.waiting
        cpu = min(math.ceil(work.seconds / self.target_duration), ready + work.processing)
        if work.threads:
            cpu = math.ceil(cpu / work.threads * work.workers)
        if ready and not work.workers:
            cpu = max(1, cpu)
        full = work.memory_limit > 0 and work.stored > MEMORY_SHARE * work.memory_limit
        return max(2 * work.workers if full else 0, cpu)


def _closable(work: Work) -> int:
    """How many workers `Scheduler.workers_to_close` would name without being told how many."""
    idle = work.workers - work.busy
    if not idle or not work.stored:
        return idle
    if not work.memory_limit:
        return 0
    least = math.ceil(RATIO * work.stored * work.workers / work.memory_limit)
    return max(0, min(idle, work.workers - least))


@frozen
class Count:
    """One thread for each task that could run: ``ceil(tasks * workers / threads)``.

    The rule of queue-length scalers: no durations, so nothing to guess. It buys as many workers as there are tasks,
    however short these are. A worker leaves when it has been superfluous for as long as a start takes.
    """

    def advise(self, view: View) -> tuple[Count, Advice]:
        """As many as there are tasks."""
        work = view.load.work
        if work is None:
            return self, as_told(view)
        tasks = work.queued + work.waiting + work.processing
        workers = -(-tasks * work.workers // work.threads) if work.threads else tasks
        target = max(workers, work.busy)
        return self, Advice(target, f"{tasks} tasks, a thread for each", until=math.inf)


@frozen
class Fixed:
    """Always the same size, whatever there is to do.

    Attributes:
        size: how many workers.
    """

    size: int = 1

    def advise(self, view: View) -> tuple[Fixed, Advice]:  # noqa: ARG002 - it looks at nothing
        """The size."""
        return self, Advice(self.size, f"a fixed size of {self.size}", until=math.inf)
