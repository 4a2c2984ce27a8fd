"""Which workers can run a task, in the scheduler's own terms."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def accepts(scheduler: Any, task: Any, worker: Any) -> bool:
    """Whether this worker fits the task's restrictions, whatever its status; as `Scheduler.valid_workers` has them.

    A task may name both workers and hosts: either will do.
    """
    hosts = {scheduler.coerce_hostname(host) for host in task.host_restrictions or ()}
    workers = task.worker_restrictions or ()
    if (workers or hosts) and worker.address not in workers and worker.host not in hosts:
        return False
    needed = task.resource_restrictions or {}
    return all(worker.resources.get(name, 0) >= amount for name, amount in needed.items())


def others_can(scheduler: Any, task: Any, leaving: Collection[Any]) -> bool:
    """Whether a running worker that is not among the leaving ones can run the task."""
    valid = scheduler.valid_workers(task)  # a subset of the running ones, or None for any of them
    if valid is None or task.loose_restrictions:
        valid = scheduler.running
    # One that stays is found after at most as many as leave.
    return any(worker not in leaving for worker in valid)


def restricted(task: Any) -> bool:
    """Whether the task asks for more than a free thread."""
    return bool(task.worker_restrictions or task.host_restrictions or task.resource_restrictions)
