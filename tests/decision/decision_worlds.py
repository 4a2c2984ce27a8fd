"""What the tests of the decision share: short words for values, a driver of the core, and a world that obeys at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from attrs import define, evolve, field

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    Action,
    ActionName,
    Cancel,
    Cause,
    Drain,
    Event,
    Finished,
    Launch,
    Load,
    Outcome,
    Recall,
    Record,
    Result,
    Sample,
    Sampled,
    Suggest,
    Suggested,
    Unit,
    UnitId,
    UnitState,
    WorkerName,
)
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State


def unit(
    name: str,
    state: UnitState = "registered",
    *,
    size: int = 1,
    executing: int = 0,
    ours: bool = True,
    detail: str = "",
    idle: float | None = None,
    stored: int = 0,
) -> Unit:
    """A unit; alone in it, a worker is called as the unit, else ``name.0``, ``name.1`` and so on."""
    workers = (name,) if size == 1 else tuple(f"{name}.{i}" for i in range(size))
    return Unit(
        UnitId(name),
        state,
        tuple(map(WorkerName, workers)),
        size=size,
        executing=executing,
        ours=ours,
        detail=detail,
        idle=idle,
        stored=stored,
    )


def fleet(*names: str, state: UnitState = "registered") -> tuple[Unit, ...]:
    return tuple(unit(name, state) for name in names)


def ids(*names: str) -> tuple[UnitId, ...]:
    return tuple(map(UnitId, names))


def rank(units: Iterable[Unit], target: int) -> tuple[WorkerName, ...]:
    """`Scheduler.workers_to_close(target=...)` in small: idle ones first, as many as there are too many."""
    registered = [u for u in units if u.state == "registered"]
    registered.sort(key=lambda u: (u.executing > 0, u.id))
    workers = list(itertools.chain.from_iterable(u.workers for u in registered))
    return tuple(workers[: max(0, len(workers) - target)])


def of_kind(actions: Sequence[Action], kind: type[Action]) -> list[UnitId]:
    """The units of all actions of this kind, in order."""
    return [u for action in actions if isinstance(action, kind) for u in action.units]


class Core:
    """Drives `decide` and keeps what it has returned; ``size`` is what the cluster says of its units."""

    size: int | None = None

    def __init__(self, rules: Rules | None = None, **options: object) -> None:
        self.state = State(rules=rules or Rules(idle_timeout=0, wait_count=1), prefix="new", **options)
        self.records: list[Record] = []

    @property
    def last(self) -> Record:
        return self.records[-1]

    @property
    def note(self) -> str:
        assert self.last.decision is not None
        return self.last.decision.note

    @property
    def reasons(self) -> list[tuple[str, int, int]]:
        assert self.last.decision is not None
        return [(reason.limiter, reason.before, reason.after) for reason in self.last.decision.reasons]

    def feed(self, event: Event) -> tuple[Action, ...]:
        self.state, actions, record = decide(self.state, event)
        self.records.append(record)
        return actions

    def look(
        self,
        at: float,
        units: Iterable[Unit],
        target: int,
        *,
        cause: Cause = "interval",
        begun: float | None = None,
    ) -> tuple[Action, ...]:
        """One sample."""
        begun = at if begun is None else begun
        return self.feed(Sampled(Sample(begun, at, cause, tuple(units), Load(target), self.size)))

    def step(
        self, at: float, units: Iterable[Unit], target: int, *, cause: Cause = "interval"
    ) -> tuple[Action, ...]:
        """One sample, and at once the scheduler's answer should the core have a question."""
        units = tuple(units)
        actions = self.look(at, units, target, cause=cause)
        if actions and isinstance(actions[-1], Suggest):
            question = actions[-1]
            answer = self.feed(Suggested(at, question.question, rank(units, question.target)))
            return (*actions[:-1], *answer)
        return actions

    def finish(
        self, at: float, action: ActionName, units: Sequence[str], result: Result = "done", detail: str = ""
    ) -> tuple[Action, ...]:
        return self.feed(Finished(Outcome(at, action, ids(*units), result, detail=detail)))


@define
class Town:
    """A cluster where everything works: launched units register after ``startup`` s, drains are done at once.

    Attributes:
        history: actions by tick, without the questions.
    """

    core: Core
    startup: float = 0.0
    size: int = 1
    now: float = 0.0
    units: dict[UnitId, Unit] = field(factory=dict)
    arrivals: dict[UnitId, float] = field(factory=dict)
    history: list[tuple[Action, ...]] = field(factory=list)

    def tick(self, target: int, *, busy: int = 0, cause: Cause = "interval", after: float = 1.0) -> None:
        """Time passes, then one look: ``busy`` is how many of the oldest units have work."""
        self.now += after
        self.core.size = self.size
        for name, at in list(self.arrivals.items()):
            if at <= self.now:
                self.units[name] = evolve(self.units[name], state="registered")
                del self.arrivals[name]
        registered = [u for u in self.units.values() if u.state == "registered"]
        for i, each in enumerate(registered):
            self.units[each.id] = evolve(each, executing=int(i < busy))
        actions = self.core.step(self.now, self.units.values(), target, cause=cause)
        self.history.append(actions)
        for action in actions:
            self._obey(action)

    def _obey(self, action: Action) -> None:
        match action:
            case Launch(units):
                for name in units:
                    self.units[name] = unit(name, "requested", size=self.size)
                    self.arrivals[name] = self.now + self.startup
                self.core.finish(self.now, "launch", units)
            case Cancel(units) | Drain(units):
                for name in units:
                    del self.units[name]
                    self.arrivals.pop(name, None)
                self.core.finish(self.now, "cancel" if isinstance(action, Cancel) else "drain", units)
            case Recall():
                raise AssertionError("nothing ever drains for longer than a moment here")

    @property
    def working(self) -> list[UnitId]:
        return [u.id for u in self.units.values() if u.state == "registered"]
