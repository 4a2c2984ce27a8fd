"""How good a run was: its cost and its waiting beside the bounds."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from attrs import frozen

from trio_adaptive.simulation.bounds import least_cost, least_cost_with_waiting, least_makespan
from trio_adaptive.simulation.run import Run
from trio_adaptive.simulation.workloads.model import Workload

HOUR = 3600.0


@frozen
class Report:
    """The figures of one run.

    Attributes:
        policy: by name.
        cost: worker-seconds, from request to release.
        cost_share: cost over the work.
        waiting: seconds that tasks were ready and did not run, all together.
        stretch: mean of duration and waiting over mean duration.
        makespan: when the last task ended.
        makespan_share: that over the least possible.
        starts: workers requested.
        useless: share of them that never ran a task.
        operations: changes of the size in an hour.
        regret: (cost + value * waiting) over its bound, for tasks without dependencies; None for others.
        product: cost over (work + S), times makespan over its bound.
        under, over: area between demand and supply where supply was below and above, over the area of demand
            (SPEC RG Cloud, elasticity metrics).
    """

    policy: str
    cost: float
    cost_share: float
    waiting: float
    stretch: float
    makespan: float
    makespan_share: float
    starts: int
    useless: float
    operations: float
    regret: float | None
    product: float
    under: float
    over: float


def report(policy: str, run: Run, value: float = 2.0) -> Report:
    """The figures of a run.

    Args:
        policy: its name.
        run: what became of it.
        value: what a second of a waiting task is worth in worker-seconds.
    """
    account, workload = run.account, run.workload
    startup = run.setup.hardware.startup
    maximum = run.setup.maximum * run.setup.hardware.threads
    work = workload.work
    shortest = _least_makespan(workload, startup, maximum)
    under, over = _elasticity(run)
    regret = None
    if not any(workload.dependencies) and value >= 1 and run.setup.hardware.threads == 1:
        regret = (account.cost + value * run.waited) / _least_total(workload, startup, value)
    makespan_share = account.ended / shortest if shortest else 1.0
    duration = max(account.course[-1][0], 1.0) if account.course else 1.0
    return Report(
        policy,
        account.cost,
        account.cost / work if work else 1.0,
        run.waited,
        1 + run.waited / work if work else 1.0,
        account.ended,
        makespan_share,
        account.starts,
        account.useless / account.starts if account.starts else 0.0,
        account.operations / duration * HOUR,
        regret,
        account.cost / least_cost(workload, startup) * makespan_share,
        under,
        over,
    )


_CACHED = 64
_least_makespan = lru_cache(_CACHED)(least_makespan)
_least_total = lru_cache(_CACHED)(least_cost_with_waiting)


def _elasticity(run: Run) -> tuple[float, float]:
    under = over = area = 0.0
    course = run.account.course
    threads, most = run.setup.hardware.threads, run.setup.maximum * run.setup.hardware.threads
    for (at, tasks, workers, *_), (until, *_) in pairwise(course):
        elapsed, demand, supply = until - at, min(tasks, most), workers * threads
        area += demand * elapsed
        under += max(0.0, demand - supply) * elapsed
        over += max(0.0, supply - demand) * elapsed
    return (under / area, over / area) if area else (0.0, 0.0)


def in_all(workload: Workload) -> str:
    """What a workload is like, in a line."""
    tasks = workload.tasks
    span = tasks[-1].submit
    kind = "one graph" if workload.is_graph else f"submitted over {span / HOUR:.1f} h"
    mean = workload.work / len(tasks)
    return f"{len(tasks)} tasks, {workload.work:.0f} s of work, {mean:.2f} s each in the mean, {kind}"
