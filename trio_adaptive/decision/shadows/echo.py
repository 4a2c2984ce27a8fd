"""The estimated cluster of a policy that only advises: its workers, and its tasks as a fluid.

Values only; `trio_adaptive.decision.shadows.fluid` has the formulas, and imports nothing from the state, which holds these.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from trio_adaptive.decision.model import UnitId


@frozen
class Kind:
    """The tasks of one kind.

    Attributes:
        there: how many are ready or run in the estimated cluster.
        seen: how many did at the latest look, in fact.
        ended: how many executions had been measured until then, in fact.
        mean: seconds of one.
    """

    there: float
    seen: int = 0
    ended: int = 0
    mean: float = 0.0


@frozen
class EchoUnit:
    """A unit of the estimated cluster.

    Attributes:
        id: its name.
        requested: when it was asked for.
        registered: whether it has come.
        idle: since when it has had no task; None while it has one, or has not come.
    """

    id: UnitId
    requested: float
    registered: bool = False
    idle: float | None = None


@frozen
class Sums:
    """What has been added up: worker-seconds, and the seconds that tasks waited, all together."""

    cost: float = 0.0
    waiting: float = 0.0

    def plus(self, elapsed: float, workers: float, waiting: float) -> Sums:
        """With so many more seconds, in which so many workers were paid and so many tasks waited."""
        return Sums(self.cost + elapsed * workers, self.waiting + elapsed * waiting)


@frozen
class Fact:
    """The real cluster at the latest look.

    Attributes:
        paid: workers that cost something.
        tasks: ready or running.
        threads: for them.
    """

    paid: int = 0
    tasks: int = 0
    threads: int = 0


@frozen
class Echo:
    """The estimated cluster at one moment.

    Attributes:
        at: when.
        units: all of them, in the order in which they were asked for.
        size: workers in a unit.
        per: threads of a worker.
        kinds: the tasks, by kind.
        fact: the real cluster.
        sums: what the estimated one has cost.
        fact_sums: what the real one has cost meanwhile.
    """

    at: float
    units: tuple[EchoUnit, ...] = ()
    size: int = 1
    per: float = 1.0
    kinds: Mapping[str, Kind] = field(factory=dict[str, Kind])
    fact: Fact = field(factory=Fact)
    sums: Sums = field(factory=Sums)
    fact_sums: Sums = field(factory=Sums)

    @property
    def registered(self) -> int:
        """Workers that have come."""
        return self.size * sum(unit.registered for unit in self.units)

    @property
    def threads(self) -> float:
        """Tasks that they can run at once."""
        return self.registered * self.per

    @property
    def tasks(self) -> float:
        """All tasks that are ready or run."""
        return sum([kind.there for kind in self.kinds.values()])
