"""What the runtime is asked to do, and what became of it.

Each action becomes a child task with a deadline of its own.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from trio_adaptive.decision.model.units import UnitId


@frozen
class Launch:
    """Start one new unit for each of these names."""

    units: tuple[UnitId, ...]


@frozen
class Cancel:
    """Take back units that have not registered, or clean up after those that have ``ended``.

    A unit has ended by itself, or has been given up because it did not register in time.
    """

    units: tuple[UnitId, ...]
    ended: bool = False


@frozen
class Drain:
    """Let these units leave without harm: no new tasks, finish, move the data, then stop. May be refused.

    With ``only_idle`` they stay where work has come to them since they were chosen.
    """

    units: tuple[UnitId, ...]
    only_idle: bool = False


@frozen
class Recall:
    """Give draining units back to service, where their drain has not yet gone too far."""

    units: tuple[UnitId, ...]


@frozen
class Suggest:
    """A question, not a deed: which workers would go if ``target`` workers were to stay?"""

    question: int
    target: int


Action: TypeAlias = Launch | Cancel | Drain | Recall | Suggest

ActionName: TypeAlias = Literal["launch", "cancel", "drain", "recall"]
Result: TypeAlias = Literal["done", "forced", "recalled", "refused", "timed out", "failed"]


@frozen
class Lost:
    """What the end of a unit has cost that could not wait any longer.

    Attributes:
        tasks: executions that were cut off and begin again elsewhere.
        task_seconds: how long these had been running, all together.
        bytes: results that had no other copy and are computed again.
    """

    tasks: int = 0
    task_seconds: float = 0.0
    bytes: int = 0


@frozen
class Outcome:
    """What became of an action for these units.

    A drain that was recalled in time ends as ``recalled``, one that was ended at its deadline as ``forced``. A recall
    is answered only when it comes too late: it is ``refused``, and the drain ends as ``done``.
    """

    at: float
    action: ActionName
    units: tuple[UnitId, ...]
    result: Result
    took: float = 0.0
    detail: str = ""
    lost: Lost = Lost()
