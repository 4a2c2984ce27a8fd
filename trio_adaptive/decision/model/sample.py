"""One look at the cluster and its load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from operator import attrgetter
from typing import Literal, TypeAlias

from attrs import frozen

from trio_adaptive.decision.model.load import Load
from trio_adaptive.decision.model.units import Unit, UnitId, UnitState

Cause: TypeAlias = Literal["interval", "wake-up"]


@frozen
class Sample:
    """One look at the cluster and its load.

    Attributes:
        begun: when the look began: what happened later may be missing from it.
        at: when it was complete.
        cause: the interval's tick, or a wake-up by the cluster.
        units: everything that exists or is on its way.
        load: what the scheduler said.
        new_size: workers in a unit that would be launched now; None where the cluster cannot tell.
    """

    begun: float
    at: float
    cause: Cause
    units: tuple[Unit, ...]
    load: Load
    new_size: int | None = None

    # Each is one pass over what may be a hundred thousand units, and made at most once.

    @cached_property
    def by_id(self) -> Mapping[UnitId, Unit]:
        """The units by their names."""
        return {unit.id: unit for unit in self.units}

    @cached_property
    def by_state(self) -> Mapping[UnitState, int]:
        """How many units are in each state."""
        return Counter(map(attrgetter("state"), self.units))

    @cached_property
    def unit_size(self) -> int:
        """Workers in a whole unit: in a new one, or where nobody says, in the largest seen; 1 while nothing exists."""
        return self.new_size or max(map(attrgetter("size"), self.units), default=1)

    @cached_property
    def busy(self) -> int:
        """Registered workers with work.

        Tasks are spread evenly, so that there are as many as there are tasks, or all. Where nobody says how many
        tasks there are, it is those in units that were executing at their last heartbeat.
        """
        if self.load.processing is None:
            return sum(unit.size for unit in self.units if unit.state == "registered" and unit.executing)
        if self.load.processing == 0 or self.unit_size == 1:
            return min(self.load.processing, self.by_state.get("registered", 0))
        return min(self.load.processing, sum(u.size for u in self.units if u.state == "registered"))
