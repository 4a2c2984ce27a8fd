"""Growing for a stream of tasks: only for those that will still be waiting when a new worker has started."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from trio_adaptive.decision.model import Work
from trio_adaptive.decision.policy import View
from trio_adaptive.decision.targets.durations import Kind

AHEAD: Final = 0.5
"""So much work a new worker is to have ahead of it at least, in start-up times."""

SHORTEST: Final = 1e-3
"""No task is shorter, in seconds."""


@frozen
class Queue:
    """Tasks that have no thread yet.

    Attributes:
        tasks: how many.
        each: estimated seconds of one, in the mean.
        known: whether of any kind of task at hand anything is known.
    """

    tasks: int
    each: float
    known: bool


def queue_of(work: Work, pending: int, in_line: int, every: Sequence[Kind]) -> Queue:
    """The queue: those that no worker has, and those that workers have beyond their threads.

    Args:
        work: all of it.
        pending: tasks that no worker has and a new one could run.
        in_line: tasks that workers have beyond their threads, and a new one could run.
        every: all kinds.
    """
    share = in_line / work.processing if work.processing else 0.0
    tasks = seconds = 0.0
    for kind in every:
        waiting = kind.group.ready + share * kind.group.running
        tasks += waiting
        seconds += waiting * kind.duration
    ready = [kind for kind in every if kind.group.ready or kind.group.running]
    each = max(seconds / tasks if tasks else 0.0, SHORTEST)
    return Queue(int(min(tasks, pending + in_line) + 0.5), each, any(kind.known for kind in ready))


def cleared(work: Work, view: View, every: Sequence[Kind], startup: float, each: float) -> float:
    """How many tasks of the queue the workers that are there or on their way will have begun within a start-up time.

    A running task is taken to have a constant chance to end, so that it ends within s seconds with ``s / duration``,
    or for sure where it is shorter; durations have long tails, and the scheduler's estimates are means. Once free, a
    thread takes one task after the other.
    """
    total = 0.0
    in_line = max(0, work.processing - work.threads)
    running_share = 1 - in_line / work.processing if work.processing else 0.0
    for kind in every:
        unseen = kind.group.running - len(kind.group.elapsed)
        late = 0
        for elapsed in kind.group.elapsed:  # the longest first
            if elapsed <= kind.duration:
                break
            total += _taken(elapsed, startup, each)
            late += 1
        others = len(kind.group.elapsed) - late + max(0.0, unseen * running_share)
        if others:
            total += others * _taken(max(kind.duration, SHORTEST), startup, each)
    threads = work.threads / work.workers if work.workers else 1.0
    for since in view.starting:
        left = min(startup, max(0.0, view.at - since))
        total += threads * max(1.0, left / each)
    return total


def _taken(busy_for: float, within: float, each: float) -> float:
    return within / busy_for if busy_for >= within else 1 + (within - busy_for) / each


def more_workers(
    queue: Queue, begun: float, *, arriving: float, recent: float, startup: float, least_work: float
) -> int:
    """So many threads are worth starting now.

    The tasks that will be left after a start-up time, one thread for each; but no more than have ``least_work``
    ahead of them, by what will be left and what has come of late.

    Args:
        queue: tasks that wait.
        begun: how many of them will have begun by then.
        arriving: work to be expected, in seconds a second.
        recent: work that has come of late beyond what there are workers for, in seconds.
        startup: in seconds.
        least_work: seconds of work that a new worker is to have.
    """
    left = min(queue.tasks, queue.tasks + arriving * startup / queue.each - begun)
    if left <= 0:
        return 0
    threads = min(left, (left * queue.each + recent) / least_work)
    # Where somebody is there or comes, what is more likely begun than left by then is not worth a start.
    return math.floor(threads + 0.5) if begun else math.ceil(threads - 1e-9)
