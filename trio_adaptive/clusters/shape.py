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
    group = len(spec.get("group", ("",))) or 1  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - a user's dictionary
    # Whatever their names say: a specification describes what is started as one, and they read it there.
    cores = _asked(getattr(cluster, "_threads_per_worker", None))
    return Shape(group, cores, _asked(getattr(cluster, "_memory_per_worker", None)))


def _asked(method: Callable[[], float] | None) -> float | None:
    """What ``SpecCluster`` finds in its specification; it raises whatever comes when there is nothing to find."""
    if method is None:
        return None
    try:
        answer = method()
    except Exception:  # noqa: BLE001 - RuntimeError, ValueError, KeyError, TypeError by release and by what is missing
        return None
    return answer or None
