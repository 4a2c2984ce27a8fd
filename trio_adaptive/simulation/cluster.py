"""A model of a cluster and its scheduler: workers that take time to start, and run one task per thread."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias, assert_never

from attrs import define, field, frozen

from trio_adaptive.decision.model import (
    Action,
    ActionName,
    Cancel,
    Candidate,
    Cause,
    Drain,
    Event,
    Finished,
    Launch,
    Outcome,
    Recall,
    Sample,
    Suggest,
    Suggested,
    Unit,
    UnitId,
    UnitState,
    Work,
    WorkerName,
)
from trio_adaptive.decision.targets import load_of
from trio_adaptive.decision.victims import ranked
from trio_adaptive.simulation.account import Account
from trio_adaptive.simulation.tasks import Order, Tasks
from trio_adaptive.simulation.workloads.model import Workload


@frozen
class Hardware:
    """What the workers of a run are like.

    Attributes:
        startup: seconds from the request of a worker to its registration: the median.
        startup_sigma: how much that varies: the standard deviation of its logarithm.
        threads: tasks that a worker runs at once.
        failing: the share of starts that fail, after they have taken their time.
        lifetime: mean seconds until a worker is lost, with its running tasks, which begin again; infinite: never.
        order: which task comes first.
        transfer: seconds in which the result of one task is fetched from another worker; the thread waits meanwhile.
        seed: of all chance.
    """

    startup: float = 30.0
    startup_sigma: float = 0.0
    threads: int = 1
    failing: float = 0.0
    lifetime: float = math.inf
    order: Order = "fifo"
    transfer: float = 0.0
    seed: int = 0


@define(eq=False)
class _Worker:
    unit: Unit
    rank: float
    requested: float
    state: UnitState = "requested"
    running: set[int] = field(factory=set[int])
    idle_since: float | None = None
    has_run: bool = False


Kind: TypeAlias = Literal["comes", "ends", "lost"]

STARTING_FAILED: Final = "the model lets it fail"


class ModelCluster:
    """Workers and tasks on a virtual clock: obeys actions, and lets time pass.

    Attributes:
        tasks: of the workload.
        account: what it costs.
        now: up to when everything has happened.
    """

    def __init__(self, workload: Workload, hardware: Hardware) -> None:
        self.tasks = Tasks(workload, hardware.order)
        self.account = Account()
        self.now = 0.0
        self._hardware = hardware
        self._chance = random.Random(hardware.seed)  # noqa: S311 - seeded chance is what is wanted
        self._ranks = random.Random(hardware.seed)  # noqa: S311 - the same
        self._workers: dict[UnitId, _Worker] = {}
        self._free: list[tuple[float, UnitId]] = []
        self._due: list[tuple[float, int, Kind, UnitId, int]] = []
        self._serial = 0
        self._registered = self._busy = 0
        self._places: dict[int, UnitId] = {}  # of each result, who has made it

    # What happens by itself

    @property
    def next_event(self) -> float:
        """When the next thing happens by itself; infinite if nothing does."""
        due = self._due[0][0] if self._due else math.inf
        return min(due, self.tasks.next_submission)

    def advance(self, until: float) -> Iterator[Event]:
        """Let everything happen up to and including this time; yields what the decision is told of at once."""
        while (at := self.next_event) <= until:
            self.now = at
            if self.tasks.next_submission <= at:
                self.tasks.submit(at)
            while self._due and self._due[0][0] <= at:
                _, _, kind, name, task = heapq.heappop(self._due)
                yield from self._happen(kind, name, task)
            self._dispatch()
            self._draw()
        self.now = until

    def _happen(self, kind: Kind, name: UnitId, task: int) -> Iterator[Event]:
        worker = self._workers.get(name)
        if worker is None:
            return
        match kind:
            case "comes":
                self._register(worker)
            case "ends":
                if task in worker.running:
                    worker.running.discard(task)
                    self.tasks.end(task, self.now)
                    if self._hardware.transfer:
                        self._places[task] = name
                    self.account.ended = self.now
                    yield from self._freed(worker)
            case "lost":
                for number in sorted(worker.running):
                    self.tasks.lose(number, self.now)
                self._busy -= worker.state == "registered" and bool(worker.running)
                self._fail(worker, "lost", "the model lets it die")
            case _:
                assert_never(kind)

    def _register(self, worker: _Worker) -> None:
        if self._chance.random() < self._hardware.failing:
            self._fail(worker, "failed", STARTING_FAILED)
            return
        worker.state = "registered"
        worker.idle_since = self.now
        self._registered += 1
        self._offer(worker)
        if math.isfinite(self._hardware.lifetime):
            self._plan("lost", worker.unit.id, self._chance.expovariate(1 / self._hardware.lifetime))

    def _fail(self, worker: _Worker, state: UnitState, detail: str) -> None:
        self._registered -= worker.state == "registered"
        self.account.release(self.now - worker.requested, useful=worker.has_run)
        worker.state = state
        worker.running.clear()
        worker.unit = Unit(worker.unit.id, state, worker.unit.workers, detail=detail)

    def _freed(self, worker: _Worker) -> Iterator[Event]:
        if worker.state == "registered":
            if not worker.running:
                worker.idle_since = self.now
                self._busy -= 1
            self._offer(worker)
        elif not worker.running:  # it has finished what it had, and leaves
            self._remove(worker)
            yield Finished(Outcome(self.now, "drain", (worker.unit.id,), "done"))

    def _offer(self, worker: _Worker) -> None:
        heapq.heappush(self._free, (worker.rank, worker.unit.id))

    def _dispatch(self) -> None:
        # As in Dask's set of idle workers: in any order, but always the same, so that those behind can go.
        while self._free and self.tasks.queued:
            worker = self._workers.get(heapq.heappop(self._free)[1])
            if worker is None or worker.state != "registered":
                continue
            if len(worker.running) >= self._hardware.threads or (begun := self.tasks.begin(self.now)) is None:
                continue
            number, duration = begun
            self._busy += not worker.running
            worker.running.add(number)
            worker.idle_since, worker.has_run = None, True
            self._plan("ends", worker.unit.id, duration + self._fetching(number, worker.unit.id), number)
            if len(worker.running) < self._hardware.threads:
                self._offer(worker)

    def _fetching(self, number: int, name: UnitId) -> float:
        """Seconds until all that a task needs is on this worker, one result after the other."""
        if not self._hardware.transfer:
            return 0.0
        away = sum(self._places.get(dep) != name for dep in self.tasks.dependencies(number))
        return self._hardware.transfer * away

    def _plan(self, kind: Kind, name: UnitId, after: float, task: int = -1) -> None:
        self._serial += 1
        heapq.heappush(self._due, (self.now + after, self._serial, kind, name, task))

    # What is done to it

    def obey(self, action: Action) -> Iterator[Event]:
        """Do it at once; yields what the decision is told of it."""
        match action:
            case Launch(units=units):
                for name in units:
                    self._launch(name)
                yield self._done("launch", units)
            case Cancel(units=units):
                for name in units:
                    if name in self._workers:
                        self._remove(self._workers[name])
                yield self._done("cancel", units)
            case Drain(units=units):
                yield from self._drain(units)
            case Recall(units=units):
                yield from self._recall(units)
            case Suggest(question=question, target=target):
                yield Suggested(self.now, question, tuple(self._ranked(target)))
            case _:
                assert_never(action)
        self._dispatch()
        self._draw()

    def _done(self, action: ActionName, units: tuple[UnitId, ...]) -> Event:
        return Finished(Outcome(self.now, action, units, "done"))

    def _launch(self, name: UnitId) -> None:
        unit = Unit(name, "requested", (WorkerName(name),))
        self._workers[name] = _Worker(unit, self._ranks.random(), self.now)
        self.account.starts += 1
        sigma = self._hardware.startup_sigma
        factor = math.exp(self._chance.gauss(0.0, sigma)) if sigma else 1.0
        self._plan("comes", name, self._hardware.startup * factor)

    def _drain(self, units: tuple[UnitId, ...]) -> Iterator[Event]:
        gone: list[UnitId] = []
        for name in units:
            worker = self._workers.get(name)
            if worker is None or not worker.running:
                gone.append(name)
                if worker is not None:
                    self._remove(worker)
            elif worker.state == "registered":
                self._registered -= 1
                self._busy -= 1
                worker.state = "leaving"
                worker.unit = Unit(name, "registered", worker.unit.workers, executing=len(worker.running))
        if gone:
            yield self._done("drain", tuple(gone))

    def _recall(self, units: tuple[UnitId, ...]) -> Iterator[Event]:
        for name in units:
            worker = self._workers.get(name)
            if worker is not None and worker.state == "leaving":
                worker.state = "registered"
                self._registered += 1
                self._busy += 1
                if len(worker.running) < self._hardware.threads:
                    self._offer(worker)
                yield Finished(Outcome(self.now, "drain", (name,), "recalled"))

    def _remove(self, worker: _Worker) -> None:
        del self._workers[worker.unit.id]
        if worker.state == "registered":
            self._registered -= 1
        if worker.state not in {"failed", "lost"}:
            self.account.release(self.now - worker.requested, useful=worker.has_run)

    def _ranked(self, target: int) -> list[WorkerName]:
        here = [worker for worker in self._workers.values() if worker.state == "registered"]
        candidates = [
            Candidate(
                worker.unit.workers[0],
                processing=len(worker.running),
                idle=None if worker.idle_since is None else self.now - worker.idle_since,
            )
            for worker in here
        ]
        return ranked(candidates, [self._unit(worker) for worker in here], target)

    # What it looks like

    def sample(self, cause: Cause, target_duration: float) -> Sample:
        """A look at it now, as the runtime would take it."""
        units = tuple([self._unit(worker) for worker in self._workers.values()])
        load = load_of(self.work(), target_duration, {})
        return Sample(self.now, self.now, cause, units, load, 1)

    def work(self) -> Work:
        """All that there is to do, as the probe would tell it."""
        tasks = self.tasks
        tasks.heartbeat(self.now)
        return Work(
            self._registered,
            self._busy,
            self._registered * self._hardware.threads,
            tasks.processing,
            tasks.queued,
            0,
            tasks.seconds(),
            groups=tuple(tasks.told(self.now)),
            submissions=tasks.submissions,
            submitted=tasks.submitted,
            finished=tasks.done,
            finished_seconds=tasks.executed,
        )

    def _unit(self, worker: _Worker) -> Unit:
        if worker.state != "registered":
            return worker.unit
        if worker.idle_since is None:
            if worker.unit.executing != len(worker.running) or worker.unit.state != "registered":
                worker.unit = Unit(
                    worker.unit.id, "registered", worker.unit.workers, executing=len(worker.running)
                )
            return worker.unit
        return Unit(worker.unit.id, "registered", worker.unit.workers, idle=self.now - worker.idle_since)

    @property
    def size(self) -> int:
        """How many workers are paid."""
        return sum(w.state not in {"failed", "lost"} for w in self._workers.values())

    def close(self) -> None:
        """Release everybody, at the end of the accounting."""
        for worker in list(self._workers.values()):
            self._remove(worker)
        self._draw()

    def _draw(self) -> None:
        demand = self.tasks.queued + self.tasks.processing
        self.account.draw(self.now, demand, self._registered, len(self._workers), self.tasks.queued)
