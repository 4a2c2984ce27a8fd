"""Demand by class: which tasks new workers could help with, and which buy nothing.

Dask's rule counts all tasks alike. So tasks that ask for what no worker has buy workers that cannot run them
(dask/distributed#2118, dask/distributed#1851), and tasks that are bound to one worker buy idle ones beside it, which
leave and are bought again (dask/distributed#4471).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from trio_adaptive.decision.amounts import counted
from trio_adaptive.decision.model import TaskClass, Work

Offers: TypeAlias = Mapping[str, float]
"""Resources of a new worker: how much it has of each."""

Fit: TypeAlias = Literal["open", "kept", "unknown", "blocked"]
"""open: a new worker could run them. kept: only present ones can. unknown: a worker has to come to show it.
blocked: nobody can."""


@frozen
class Scarce:
    """Tasks of which a worker can run fewer at once than it has threads, since they need a resource.

    Attributes:
        tasks: how many there are.
        seconds: estimated work in them.
        at_once: how many of them a new worker can run at once.
        needs: what they need, in words.
    """

    tasks: int
    seconds: float
    at_once: int
    needs: str


@frozen
class Share:
    """The work that new workers could take a share of, and what the rest asks for.

    Attributes:
        tasks: how many tasks that is.
        pending: how many of them no worker has yet.
        seconds: estimated work in them.
        kept: workers busy with tasks that only present ones can run.
        scarce: those of these tasks that need a resource of which it is known how much a new worker has.
        unknown: needs of which nobody knows whether a worker would meet them.
        blocked: tasks that nobody can run, in words.
    """

    tasks: int
    pending: int
    seconds: float
    kept: int
    scarce: tuple[Scarce, ...]
    unknown: tuple[str, ...]
    blocked: tuple[str, ...]


def share_of(work: Work, offers: Offers | None) -> Share:
    """Part the work by what its classes ask for.

    Args:
        work: all of it.
        offers: what a new worker has; None where nobody knows.
    """
    if not work.classes:
        pending = work.queued + work.waiting
        return Share(pending + work.processing, pending, max(0.0, work.seconds), 0, (), (), ())
    fits: list[tuple[TaskClass, Fit]] = [(each, _fit(each, offers)) for each in work.classes]
    closed = [each for each, fit in fits if fit != "open"]
    waiting = sum(each.waiting for each in closed)
    processing = sum(each.processing for each in closed)
    pending = max(0, work.queued + work.waiting - waiting)
    kept = sum(max(each.busy, int(each.waiting > 0)) for each, fit in fits if fit == "kept")
    return Share(
        tasks=pending + max(0, work.processing - processing),
        pending=pending,
        seconds=max(0.0, work.seconds - sum(each.seconds for each in closed)),
        kept=min(kept, work.workers),  # one may be busy with several classes
        scarce=tuple(
            _scarce(each, offers) for each, fit in fits if fit == "open" and offers and each.resources
        ),
        unknown=tuple(each.needs for each, fit in fits if fit == "unknown" and each.waiting),
        blocked=tuple(words for each, fit in fits if (words := _blocked(each, fit, work, offers))),
    )


def _fit(task_class: TaskClass, offers: Offers | None) -> Fit:
    if not task_class.placed:
        if offers is None:
            return "open" if task_class.capable else "unknown"
        if all(offers.get(resource, 0) >= amount for resource, amount in task_class.resources.items()):
            return "open"
    return "kept" if task_class.capable else "blocked"


def _scarce(task_class: TaskClass, offers: Offers) -> Scarce:
    needed = {resource: amount for resource, amount in task_class.resources.items() if amount > 0}
    # A tenth fits ten times into one, which floating point denies.
    at_once = min((round(offers[r] / amount, 9) for r, amount in needed.items()), default=math.inf)
    tasks = task_class.waiting + task_class.processing
    return Scarce(tasks, task_class.seconds, int(min(at_once, tasks or 1)), task_class.needs)


def _blocked(task_class: TaskClass, fit: Fit, work: Work, offers: Offers | None) -> str:
    if not task_class.waiting or fit not in {"unknown", "blocked"} or (fit == "unknown" and not work.workers):
        return ""
    verb = "needs" if task_class.waiting == 1 else "need"
    what = f"{counted(task_class.waiting, 'task')} {verb} {task_class.needs}, which no worker has"
    if task_class.placed:
        return f"{what}, and none is started for a certain place"
    return f"{what} and no new one would have" if offers is not None else what
