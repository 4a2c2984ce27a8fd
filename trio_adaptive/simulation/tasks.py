"""The tasks of a simulated run: which wait, which run, and what a scheduler would know of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, Literal, TypeAlias

from attrs import define, field

from trio_adaptive.decision.model import TaskGroup
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.simulation.workloads.model import Workload

UNKNOWN: Final = 0.5
"""What Dask takes a task to last of which nothing is known (``distributed.scheduler.unknown-task-duration``)."""

SAMPLED: Final = 100
"""How many of the tasks in the queue `Scheduler.adaptive_target` looks at."""

TOLD: Final = 32
"""Of how many executions of a group it is told for how long they have run."""

Order: TypeAlias = Literal["fifo", "graph"]
"""fifo: who has been ready for longest is first. graph: who stands first in the workload, as Dask's order of a graph."""


@define(eq=False)
class Group:
    """What is known of the tasks of one kind; the estimates are those of `distributed.scheduler.TaskPrefix`."""

    name: str
    after: tuple[str, ...] = ()
    ready: int = 0
    coming: int = 0
    running: dict[int, float] = field(factory=dict[int, float])
    """Number of a task -> when it began, the oldest first."""
    measured: int = 0
    total: float = 0.0
    average: float = -1.0
    longest: float = 0.0

    def look(self, now: float) -> None:
        """As a worker's heartbeat tells of what it executes."""
        if self.running:
            elapsed = now - next(iter(self.running.values()))
            self.longest = max(self.longest, elapsed)
            if elapsed > 2 * self.average:
                self.average = -1.0

    def end(self, duration: float) -> None:
        """One has been measured."""
        self.measured += 1
        self.total += duration
        self.average = duration if self.average < 0 else 0.5 * duration + 0.5 * self.average

    @property
    def estimate(self) -> float:
        """Seconds of one, as `Scheduler._get_prefix_duration`."""
        if self.average >= 0:
            return self.average
        return 2 * self.longest if self.longest > 0 else UNKNOWN

    def told(self, now: float) -> TaskGroup:
        """As a policy is told of it."""
        return TaskGroup(
            self.name,
            self.ready,
            len(self.running),
            self.coming,
            self.after,
            self.measured,
            # As many digits as the probe tells.
            round(self.total / self.measured, 6) if self.measured else 0.0,
            round(self.average, 6),
            round(self.longest, 3),
            tuple([round(now - began, 3) for began in islice(self.running.values(), TOLD)]),
        )


class Tasks:
    """All tasks of a workload, on their way from submitted to done.

    Attributes:
        groups: what is known of each kind.
        done: how many are done.
        submissions, submitted: how often tasks have been submitted, and how many.
        waited: seconds that tasks were ready and did not run, all together.
        executed: seconds of all tasks that are done.
    """

    def __init__(self, workload: Workload, order: Order) -> None:
        self._workload = workload
        self._by_place = order == "graph"
        self._missing = [len(deps) for deps in workload.dependencies]
        self._dependents: list[list[int]] = [[] for _ in workload.tasks]
        for number, deps in enumerate(workload.dependencies):
            for dep in deps:
                self._dependents[dep].append(number)
        self._queue: list[tuple[float, int]] = []
        self._ready_at = [math.nan] * len(workload.tasks)
        self._next = 0
        self.groups = _groups(workload)
        self._group_of = [self.groups[task.group] for task in workload.tasks]
        self._active: dict[str, Group] = {}
        self.done = self.submissions = self.submitted = self.processing = 0
        self.waited = self.executed = 0.0

    def dependencies(self, number: int) -> Sequence[int]:
        """The tasks that a task waits for."""
        return self._workload.dependencies[number]

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def next_submission(self) -> float:
        """When the next tasks come; infinite after the last."""
        tasks = self._workload.tasks
        return tasks[self._next].submit if self._next < len(tasks) else math.inf

    @property
    def all_done(self) -> bool:
        return self.done == len(self._workload.tasks)

    def submit(self, now: float) -> None:
        """Take in what is submitted at this moment, as one submission."""
        self.submissions += 1
        while self.next_submission <= now:
            number = self._next
            self._next += 1
            self.submitted += 1
            group = self._group_of[number]
            self._active[group.name] = group
            if self._missing[number]:
                group.coming += 1
            else:
                self._make_ready(number, now)

    def _make_ready(self, number: int, now: float) -> None:
        self._ready_at[number] = now
        self._group_of[number].ready += 1
        heapq.heappush(self._queue, (0.0 if self._by_place else now, number))

    def begin(self, now: float) -> tuple[int, float] | None:
        """Let the next one begin; returns its number and its duration, None where none is ready."""
        if not self._queue:
            return None
        _, number = heapq.heappop(self._queue)
        group = self._group_of[number]
        group.ready -= 1
        group.running[number] = now
        self.processing += 1
        self.waited += now - self._ready_at[number]
        return number, self._workload.tasks[number].duration

    def end(self, number: int, now: float) -> None:
        """It is done, and others may be ready."""
        group = self._group_of[number]
        del group.running[number]
        duration = self._workload.tasks[number].duration  # without the time in which its data came
        group.end(duration)
        self.executed += duration
        self.processing -= 1
        self.done += 1
        for dependent in self._dependents[number]:
            self._missing[dependent] -= 1
            # What has not been submitted yet is made ready when it is.
            if not self._missing[dependent] and dependent < self._next:
                self._group_of[dependent].coming -= 1
                self._make_ready(dependent, now)

    def lose(self, number: int, now: float) -> None:
        """Its worker has gone: it begins again."""
        del self._group_of[number].running[number]
        self.processing -= 1
        self._make_ready(number, now)

    def heartbeat(self, now: float) -> None:
        """Let the scheduler hear of what runs."""
        for group in self._active.values():
            if group.running:
                group.look(now)

    def seconds(self) -> float:
        """Estimated work in all that is ready or runs, as `Scheduler.adaptive_target` adds it up."""
        there = sum(len(g.running) * g.estimate for g in self._active.values() if g.running)
        ready = len(self._queue)
        if ready > SAMPLED and len(self._active) > 1:
            first = heapq.nsmallest(SAMPLED, self._queue)
            return there + sum(self._group_of[n].estimate for _, n in first) * ready / SAMPLED
        return there + sum(g.ready * g.estimate for g in self._active.values() if g.ready)

    def told(self, now: float) -> Iterator[TaskGroup]:
        """All groups that are not done; forgets the others until they come again."""
        for name, group in list(self._active.items()):
            if group.ready or group.running or group.coming:
                yield group.told(now)
            else:
                del self._active[name]

    def measured(self) -> dict[str, Remembered]:
        """The durations by kind, of those that have been measured."""
        groups = self.groups.values()
        return {g.name: Remembered(g.total / g.measured, g.measured) for g in groups if g.measured}

    def steady_until(self, now: float) -> float:
        """Until when the estimates stay the same if nothing happens."""
        until = math.inf
        for group in self._active.values():
            if group.running:
                if group.average < 0:
                    return now
                until = min(until, next(iter(group.running.values())) + 2 * group.average)
        return until


def _groups(workload: Workload) -> dict[str, Group]:
    after: dict[str, dict[str, None]] = {}
    for task, deps in zip(workload.tasks, workload.dependencies, strict=True):
        theirs = after.setdefault(task.group, {})
        theirs.update(dict.fromkeys(workload.tasks[dep].group for dep in deps))
    return {name: Group(name, tuple(g for g in theirs if g != name)) for name, theirs in after.items()}
