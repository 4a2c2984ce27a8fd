"""The words of the decision: units, samples, actions, outcomes, decisions, records.

Only frozen values live here. Times are seconds on the runtime's monotonic clock, durations are seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from operator import attrgetter
from typing import Literal, NewType, TypeAlias

from attrs import field, frozen

from trio_adaptive.decision.limits import Window

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


Cause: TypeAlias = Literal["interval", "wake-up"]


@frozen
class Memory:
    """The memory of all registered workers together, as they told it last.

    Attributes:
        workers: how many there are.
        threads: tasks that they can run at once.
        used: bytes of results that they keep, in memory and on disk.
        limit: bytes that they may use.
    """

    workers: int
    threads: int
    used: int
    limit: int


@frozen
class TaskClass:
    """Tasks ready to run that ask for the same beyond a free thread.

    Attributes:
        needs: what they ask for, in words, such as ``"GPU=1"`` or ``"host 10.0.0.7"``.
        resources: what a worker must have of each resource to run one of them.
        placed: whether they are bound to certain workers or hosts.
        capable: running workers that can take them.
        waiting: how many of them no worker has.
        processing: how many of them workers have, executing or next in line.
        busy: how many workers have those.
        seconds: estimated work in all of them, waiting and processing.
    """

    needs: str
    resources: Mapping[str, float]
    placed: bool
    capable: int
    waiting: int
    processing: int
    busy: int
    seconds: float


@frozen
class TaskGroup:
    """Tasks of one kind, Dask's prefix, of which some are not done.

    Attributes:
        name: the prefix.
        ready: how many wait for a worker.
        running: how many workers have, executing or next in line.
        coming: how many wait for other tasks.
        after: the kinds that those wait for, other than their own.
        measured: how many executions have been measured.
        mean: their mean duration in seconds; 0 where there are none.
        average: the scheduler's own estimate in seconds, a moving average; negative where it has none.
        longest: how long the longest execution has taken, ended or not, in seconds.
        elapsed: for how long each of those executing has been at it, in seconds, the longest first; may leave out
            the shortest.
    """

    name: str
    ready: int = 0
    running: int = 0
    coming: int = 0
    after: tuple[str, ...] = ()
    measured: int = 0
    mean: float = 0.0
    average: float = -1.0
    longest: float = 0.0
    elapsed: tuple[float, ...] = ()


@frozen
class Work:
    """All that is ready to run, and the workers that there are for it.

    Attributes:
        workers: registered workers.
        busy: how many of them have tasks.
        threads: tasks that they can run at once.
        processing: tasks that they have, executing or next in line.
        queued: tasks that wait for any worker with a free thread.
        waiting: tasks that no worker can take (Dask's ``no-worker``).
        seconds: estimated work in all of these.
        stored: bytes of results that the workers keep.
        memory_limit: bytes that they may use; 0 where there is no limit.
        scatters: calls that wait for a worker to put data on.
        classes: of the tasks that ask for more than a free thread; they are counted above as well.
        groups: the same tasks by kind, and those that wait for other tasks; empty where nobody says.
        submissions: how often tasks have been submitted so far.
        submitted: how many tasks that were.
        finished: how many executions have been measured so far.
        finished_seconds: how long they took, all together.
    """

    workers: int = 0
    busy: int = 0
    threads: int = 0
    processing: int = 0
    queued: int = 0
    waiting: int = 0
    seconds: float = 0.0
    stored: int = 0
    memory_limit: int = 0
    scatters: int = 0
    classes: tuple[TaskClass, ...] = ()
    groups: tuple[TaskGroup, ...] = ()
    submissions: int = 0
    submitted: int = 0
    finished: int = 0
    finished_seconds: float = 0.0


@frozen
class Candidate:
    """A registered worker, as one that might leave.

    Attributes:
        name: its name.
        processing: tasks that it has.
        idle: seconds since its last activity; None while it has work.
        unique: bytes of results that no other worker has: what would have to be moved.
        stored: bytes of all its results.
        stays: why it must not leave now, such as ``"it holds an actor"``; empty where nothing keeps it.
    """

    name: WorkerName
    processing: int = 0
    idle: float | None = None
    unique: int = 0
    stored: int = 0
    stays: str = ""


@frozen
class Load:
    """What the scheduler says about the work.

    Attributes:
        target: how many workers (not units) the load source asks for, before any limit.
        why: the source of that number, in words.
        processing: tasks that the workers have now, executing or next in line; None where nobody says.
        memory: what the workers have of it; None where nobody says.
        blocked: ready tasks that neither a present nor a new worker can run, and what they need, in words.
        degraded: why less is known, and less safe, than could be; empty where nothing is missing.
        work: what the target was made of; None where somebody else made it. A policy then takes it as it is.
        offers: what a new worker has of each resource; None where nobody knows.
        missing: why the load is not known, while the cluster is; then nothing else in here means anything.
    """

    target: int
    why: str = "the scheduler's adaptive_target"
    processing: int | None = None
    memory: Memory | None = None
    blocked: tuple[str, ...] = ()
    degraded: str = ""
    work: Work | None = field(default=None, repr=False)
    offers: Mapping[str, float] | None = field(default=None, repr=False)
    missing: str = ""


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


# Actions: what the runtime is asked to do. Each becomes a child task with a deadline of its own.


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


# Events: what the runtime tells the core.


@frozen
class Sampled:
    """A look at the cluster is complete."""

    sample: Sample

    @property
    def at(self) -> float:
        return self.sample.at


@frozen
class SampleFailed:
    """The cluster or its scheduler gave no answer: hold, and above all do not shrink."""

    at: float
    error: str


@frozen
class Suggested:
    """The answer to a `Suggest`, best candidate first; ``workers`` is None where there was no answer."""

    at: float
    question: int
    workers: tuple[WorkerName, ...] | None
    error: str = ""


@frozen
class Finished:
    """An action has come to its end."""

    outcome: Outcome

    @property
    def at(self) -> float:
        return self.outcome.at


Direction: TypeAlias = Literal["both", "growing", "shrinking"]


@frozen
class SetLimits:
    """New bounds, in workers. None leaves a bound as it is."""

    at: float
    minimum: int | None = None
    maximum: float | None = None


@frozen
class SetHold:
    """Hold the size at ``n`` workers until the time ``until``; ``n=None`` lets go."""

    at: float
    n: int | None
    until: float = math.inf


@frozen
class AddRequest:
    """At least ``n`` workers until the time ``until``."""

    at: float
    n: int
    until: float = math.inf


@frozen
class SetPause:
    """Stop or allow again growing, shrinking or both."""

    at: float
    direction: Direction
    paused: bool


@frozen
class SetSchedule:
    """These windows of the calendar are open from now on, and no others."""

    at: float
    windows: tuple[Window, ...]


@frozen
class Stop:
    """No further action; what is in flight is brought to its end."""

    at: float
    reason: str


Command: TypeAlias = SetLimits | SetHold | AddRequest | SetPause | SetSchedule | Stop
Event: TypeAlias = Sampled | SampleFailed | Suggested | Finished | Command


# Decisions and records: what is told about it.


@frozen
class Reason:
    """One link of the chain between the raw target and the final size."""

    limiter: str
    before: int
    after: int
    why: str


@frozen
class Decision:
    """What was decided at one moment, with the chain of reasons.

    Attributes:
        raw: units that the load asks for.
        final: units after every limiter.
        active: units that serve or will, when deciding.
        reasons: the limiters that changed the number, in order.
        actions: what follows.
        note: why less was done than ``final`` asks for, for example a back-off after failed launches.
        chosen: a line for each unit that is given back, why this one.
        load: what ``raw`` comes from.
    """

    at: float
    raw: int
    final: int
    active: int
    reasons: tuple[Reason, ...] = ()
    actions: tuple[Action, ...] = ()
    note: str = ""
    chosen: tuple[str, ...] = ()
    load: Load = Load(0)


@frozen
class Counts:
    """Units by state at one moment, Dask's three sets and what is on its way out."""

    plan: int = 0
    requested: int = 0
    observed: int = 0
    draining: int = 0
    busy: int = 0


RecordKind: TypeAlias = Literal["sample", "sample failed", "suggestion", "outcome", "command"]


@frozen
class Record:
    """One line of history: what was seen or said, and what was decided.

    Exactly one of ``event``'s forms is kept whole; samples are kept as counts, since a thousand units a second
    would be a journal that nobody reads.
    """

    at: float
    kind: RecordKind
    counts: Counts = field(factory=Counts)
    decision: Decision | None = None
    outcome: Outcome | None = None
    command: Command | None = None
    error: str = ""
