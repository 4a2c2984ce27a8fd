"""What a simulated run costs: worker-seconds, waiting, starts, and the course of it all."""

from __future__ import annotations

from attrs import define, field, frozen


@frozen
class Moment:
    """How it was from this time on.

    Attributes:
        at: the time.
        demand: tasks that run or could.
        supply: workers in service.
        paid: workers that cost something.
        waiting: tasks that could run and do not.
    """

    at: float
    demand: int
    supply: int
    paid: int
    waiting: int


@define(eq=False)
class Account:
    """Adds up while a run goes on.

    Attributes:
        cost: worker-seconds of those that have been released, from request to release.
        starts: workers requested.
        useless: those of them that were released without having run a task.
        operations: decisions that launched, called off or drained.
        ended: when the last task ended so far.
    """

    cost: float = 0.0
    starts: int = 0
    useless: int = 0
    operations: int = 0
    ended: float = 0.0
    course: list[tuple[float, int, int, int, int]] = field(factory=list[tuple[float, int, int, int, int]])

    def release(self, paid: float, *, useful: bool) -> None:
        """A worker costs nothing any more."""
        self.cost += paid
        self.useless += not useful

    def draw(self, at: float, demand: int, supply: int, paid: int, waiting: int) -> None:
        """How it is now; a second word about the same time replaces the first."""
        course = self.course
        if course and course[-1][0] == at:
            course.pop()
        course.append((at, demand, supply, paid, waiting))

    def moments(self) -> list[Moment]:
        """The course, in order."""
        return [Moment(*each) for each in self.course]
