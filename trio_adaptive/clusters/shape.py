"""What the workers of a cluster look like, as far as it can be known before any of them exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen
class Shape:
    """The next unit that a cluster would start.

    Attributes:
        unit_size: its workers; None where nobody can tell before it is there.
        cores: of the whole unit, None where unknown.
        memory: of the whole unit, in bytes, None where unknown or unlimited.
    """

    unit_size: int | None = None
    cores: float | None = None
    memory: float | None = None


def shape_of(cluster: Any) -> Shape:
    """What a user's cluster, of whatever kind, tells of its workers."""
    size = getattr(cluster, "unit_size", None)
    if isinstance(size, int):
        return Shape(unit_size=size)
    spec: Any = getattr(cluster, "new_spec", None)
    if not isinstance(spec, dict):
        return Shape()
    # Whatever their names say: a specification describes what is started as one, and they read it there.
    cores = _asked(getattr(cluster, "_threads_per_worker", None))
    return Shape(len(group_of(cluster)), cores, _asked(getattr(cluster, "_memory_per_worker", None)))


def group_of(cluster: Any) -> tuple[str, ...]:
    """What is added to a unit's name for each of its workers, for units that the cluster would start now."""
    spec: Any = getattr(cluster, "new_spec", None) or {}
    if group := spec.get("group"):
        return tuple(group)
    # dask-jobqueue tells the group only where ``processes`` was given, but by default cuts a large job up as well.
    job = getattr(cluster, "_dummy_job", None)
    processes = getattr(job, "worker_processes", 1)
    return tuple(f"-{i}" for i in range(processes)) if processes > 1 else ("",)


def _asked(method: Callable[[], float] | None) -> float | None:
    """What ``SpecCluster`` finds in its specification; it raises whatever comes when there is nothing to find."""
    if method is None:
        return None
    try:
        answer = method()
    except Exception:  # noqa: BLE001 - RuntimeError, ValueError, KeyError, TypeError by release and by what is missing
        return None
    return answer or None
