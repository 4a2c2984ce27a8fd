"""What no policy can do better: provable lower bounds on cost, makespan, and cost with waiting.

The model: one task per thread, a worker of one thread, paid from its request to its release, usable S seconds after
the request; nothing can be requested before the first submission. P is the work, r a task's earliest start, d its
duration, e = r + d, v what a second of one waiting task is worth in worker-seconds.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from trio_adaptive.simulation.workloads.model import Workload


def least_cost(workload: Workload, startup: float) -> float:
    """P + S: all work is done by somebody, and somebody has to be started."""
    return workload.work + startup


def least_makespan(workload: Workload, startup: float, maximum: float) -> float:
    """The latest of what has to be waited for.

    Nothing starts before S, so that each task ends at ``max(S, r) + d`` at the earliest, and its longest chain of
    dependents (the tail) follows. And whatever is submitted from some time r on takes ``work / maximum`` at least
    after ``max(r, S)``.
    """
    tail = [0.0] * len(workload.tasks)
    starts = earliest_starts(workload)
    for number in reversed(workload.order):
        behind = tail[number] + workload.tasks[number].duration
        for dep in workload.dependencies[number]:
            tail[dep] = max(tail[dep], behind)
    best = max(
        max(startup, start) + task.duration + rest
        for task, start, rest in zip(workload.tasks, starts, tail, strict=True)
    )
    work = 0.0
    for task in reversed(workload.tasks):
        work += task.duration
        best = max(best, max(task.submit, startup) + work / maximum)
    return best


def earliest_starts(workload: Workload) -> list[float]:
    """When each task could start if a worker stood ready for each."""
    starts = [task.submit for task in workload.tasks]
    for number in workload.order:
        for dep in workload.dependencies[number]:
            starts[number] = max(starts[number], starts[dep] + workload.tasks[dep].duration)
    return starts


def least_cost_with_waiting(workload: Workload, startup: float, value: float) -> float:
    """The least of cost + ``value`` * (seconds that tasks wait), for tasks without dependencies; ``value`` >= 1.

    The tasks of one worker form a chain, so that the cost is P + S for each chain + the gaps between its tasks. Let w
    be how long a task waits. The gap from task i to task j is ``(r_j - e_i) + w_j - w_i``, and at least 0. Where
    ``r_j > e_i`` take the gap as it is; where not, take ``1 - value`` times it, which is no more than 0 and so no more
    than the gap. Then all w have a factor of at least ``value + (1 - value) - 1 = 0`` and can be left out. What is left is
    a matching of ends to starts: a pair costs ``r - e`` or ``(value - 1) * (e - r)``, a start without an end S. Its
    least cost bounds every schedule.

    On a line, a matching is a flow: f(t) ends more than starts have been matched up to t, and the cost is the integral
    of ``max(f, 0) + (value - 1) * max(-f, 0)`` and S for each start that is left alone. The least cost as a function
    of f stays convex, so that it is kept as the sorted list of its slopes, in two heaps around f = 0. The matching may
    let a task follow itself, which is why P + S is looked at as well.
    """
    events = sorted(
        [(start, 1) for start in (task.submit for task in workload.tasks)]
        + [(task.submit + task.duration, 0) for task in workload.tasks]
    )
    return workload.work + max(startup, _least_matching(events, startup, value))


def _least_matching(events: Sequence[tuple[float, int]], startup: float, value: float) -> float:
    right: list[float] = []  # slopes from 0 up, each without what has been added to all of them
    left: list[float] = []  # slopes below 0, negated
    added_right = added_left = cost = before = 0.0
    for at, is_start in events:
        added_right += at - before
        added_left -= (value - 1) * (at - before)
        before = at
        highest = -left[0] + added_left if left else -math.inf
        lowest = right[0] + added_right if right else math.inf
        if is_start:  # min(V(f + 1), V(f) + S): a slope of S, and zero moves up by one
            cost += min(lowest, startup)
            slope = heapq.heappushpop(right, startup - added_right) + added_right
            heapq.heappush(left, -(slope - added_left))
        else:  # min(V(f), V(f - 1)): a slope of 0
            cost -= max(highest, 0.0)
            slope = -heapq.heappushpop(left, -(0.0 - added_left)) + added_left
            heapq.heappush(right, slope - added_right)
    return cost


def least_mean_response(workload: Workload, maximum: float) -> float:
    """The larger of the mean duration, and the mean response on one machine that is ``maximum`` times as fast.

    There, always doing what is done soonest is best (Schrage 1968), and whatever ``maximum`` workers do it can do.
    For tasks without dependencies.
    """
    tasks = workload.tasks
    ideal = workload.work / len(tasks)
    if not math.isfinite(maximum):
        return ideal
    now = total = 0.0
    queue: list[float] = []
    for task in (*tasks, None):
        until = math.inf if task is None else task.submit
        while queue and now + queue[0] / maximum <= until:
            now += heapq.heappop(queue) / maximum
            total += now
        if queue:
            queue[0] -= (until - now) * maximum  # the smallest stays the smallest
        now = until
        if task is not None:
            total -= task.submit
            heapq.heappush(queue, task.duration)
    return max(ideal, total / len(tasks))


def cheapest_without_waiting(workload: Workload, startup: float) -> float:
    """The least cost of a pool that was started in time for every task, as the tasks would run without any waiting.

    Level k of the pool is needed while at least k tasks run. What a level costs is the time it is needed, S for its
    first start, and for each gap the cheaper of keeping it and starting it again; the levels do not depend on each
    other.
    """
    starts = earliest_starts(workload)
    ends = [start + task.duration for start, task in zip(starts, workload.tasks, strict=True)]
    events = sorted([(at, 1) for at in starts] + [(at, -1) for at in ends])
    cost = workload.work
    last_needed: list[float] = []
    level = 0
    for at, step in events:
        if step > 0:
            if level == len(last_needed):
                last_needed.append(at)
                cost += startup
            else:
                cost += min(at - last_needed[level], startup)
            level += 1
        else:
            level -= 1
            last_needed[level] = at
    return cost
