"""What can be started and stopped as one, and the states that it goes through."""

from __future__ import annotations

from typing import Literal, NewType, TypeAlias

from attrs import frozen

UnitId = NewType("UnitId", str)
"""Names what can be started and stopped as one: a process, a batch job of several workers, a pod."""

WorkerName = NewType("WorkerName", str)
"""The name under which a worker registers, always as text: a command line makes ``0`` into ``"0"``."""

UnitState: TypeAlias = Literal["planned", "requested", "registered", "leaving", "failed", "lost"]
"""planned: wanted of the cluster object, not yet asked of its resource manager.
requested: asked of the resource manager, nothing of it has registered.
registered: at least one of its workers has registered with the scheduler.
leaving: on its way out, whatever we do.
failed: ended before any of its workers registered; lost: ended unasked after it had registered."""

SERVING: frozenset[UnitState] = frozenset({"planned", "requested", "registered"})
"""The states in which a unit works or may come to work, Dask's ``plan``."""

ENDED: frozenset[UnitState] = frozenset({"failed", "lost"})
"""The states of a unit that has ended unasked and waits for being cleaned up."""


@frozen
class Unit:
    """One unit as the cluster and the scheduler describe it.

    Attributes:
        id: its name; ours for what we launched, the cluster's for what was there.
        state: see `UnitState`.
        workers: names of its workers: those registered, or those expected while none is.
        size: how many workers it has when complete.
        executing: tasks that its workers were executing when they last told the scheduler.
        ours: False for a worker that registered without being part of the cluster's plan.
        detail: for failed and lost units, why, with the last output.
        idle: seconds since the last activity of any of its workers; None while one has work, or where nobody says.
        stored: bytes of results that its workers keep.
    """

    id: UnitId
    state: UnitState
    workers: tuple[WorkerName, ...] = ()
    size: int = 1
    executing: int = 0
    ours: bool = True
    detail: str = ""
    idle: float | None = None
    stored: int = 0
