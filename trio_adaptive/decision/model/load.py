"""What the scheduler says about the work."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from trio_adaptive.decision.model.units import WorkerName


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
