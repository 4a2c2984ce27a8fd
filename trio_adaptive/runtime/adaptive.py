"""`Adaptive`: the autoscaler as a value to command."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus
from attrs import evolve

from trio_adaptive.clusters.foreign import foreign_errors
from trio_adaptive.config import Settings
from trio_adaptive.decision.limits import Share
from trio_adaptive.decision.model import (
    AddRequest,
    Decision,
    Direction,
    Load,
    Record,
    Sample,
    SetHold,
    SetLimits,
    SetPause,
    SetPolicy,
    SetShare,
    UnitId,
    WorkerName,
)
from trio_adaptive.decision.state import FlightKind
from trio_adaptive.errors import ScalerStoppedError
from trio_adaptive.journal.ledger import LedgerSummary
from trio_adaptive.journal.tally import TallySummary
from trio_adaptive.runtime.arguments import checked, how_long, limits, number_of_workers, one_direction
from trio_adaptive.runtime.changes import BOUNDS, LIVE, POLICY, in_words
from trio_adaptive.runtime.history import Claimed, Stage, Statistics, claimed, statistics
from trio_adaptive.runtime.lifetime import Lifetime, Listener

SCHEDULER_OPTIONS = frozenset({"memory_ratio"})
"""Options that are passed on to ``Scheduler.workers_to_close``."""


class Adaptive:
    """Gives a cluster workers when there is work for them, and takes them back when there is not.

    Making one starts nothing: enter `adaptive()`, or ``await nursery.start(scaler.run)``. The parameters are those of
    `distributed.deploy.Adaptive`, with the same meaning and defaults, and those of `trio_adaptive.config.Settings`.

    Override `target` and `workers_to_close` to decide otherwise; both may be plain or async methods.

    Args:
        cluster: a ``distributed`` cluster object, anything of `trio_adaptive.clusters`, or an object of your own with
            ``scale(n)``.
        settings: all options at once, as `load_settings` makes them, in place of single ones.
        options: see `trio_adaptive.config.Settings`; ``memory_ratio`` is passed on to the scheduler.

    Raises:
        ConfigurationError: naming every mistake in the options at once.
    """

    _must_grow = True

    def __init__(self, cluster: Any, *, settings: Settings | None = None, **options: Any) -> None:
        self.cluster = cluster
        self._scheduler_options = {k: options.pop(k) for k in SCHEDULER_OPTIONS & options.keys()}
        needs_target = type(self).target is Adaptive.target
        self.settings = checked(
            cluster, settings, options, needs_target=needs_target, must_grow=self._must_grow
        )
        self._life = self._new_life()

    # What may be overridden

    async def target(self) -> int:
        """How many workers the load asks for, before any limit."""
        return (await self._life.port.target(self.settings.target_duration)).target

    async def workers_to_close(self, target: int) -> Sequence[str]:
        """Names of the workers to give back so that ``target`` workers stay, best candidate first."""
        options = dict(self._scheduler_options)
        if self.settings.worker_key is not None:
            options["key"] = self.settings.worker_key
        return await self._life.port.suggest(target, options)

    # Commands

    # Whoever passes on what others have said tells by ``by`` who that was, and from where: records and journal keep it.

    def stop(self, reason: str = "stopped by the program", *, by: str = "") -> None:
        """End adapting; returns at once. What is in flight gets ``shutdown_timeout`` to finish. May be repeated."""
        self._life.stop(reason, by)

    async def wait_stopped(self) -> None:
        """Wait until adapting has ended and nothing of it is left."""
        await self._life.stopped.wait()

    def pause(self, direction: Direction = "both", *, by: str = "") -> None:
        """Stop growing, shrinking or both, until `resume`; meanwhile no hold, request or bound moves the size either."""
        self._life.command(SetPause(self._life.now(), one_direction(direction), paused=True, by=by))

    def resume(self, direction: Direction = "both", *, by: str = "") -> None:
        """Allow growing, shrinking or both again."""
        self._life.command(SetPause(self._life.now(), one_direction(direction), paused=False, by=by))

    def hold(self, n: int | None, *, for_: Any = math.inf, by: str = "") -> None:
        """Hold the size at ``n`` workers, whatever the load or a request, within the limits; None lets go.

        Args:
            n: how many workers; rounded up to whole units.
            for_: for how long (``"10 min"``, a timedelta, seconds); default: until let go.
            by: who has said so, for the record.
        """
        now = self._life.now()
        size = None if n is None else number_of_workers(n)
        self._life.command(SetHold(now, size, now + how_long(for_), by))

    def request(self, n: int, *, for_: Any = math.inf, by: str = "") -> None:
        """Have at least ``n`` workers for a while: to start big and then shrink, or to scatter into an empty cluster.

        Args:
            n: how many workers; rounded up to whole units.
            for_: for how long; default: for the rest of this lifetime.
            by: who has said so, for the record.
        """
        now = self._life.now()
        self._life.command(AddRequest(now, number_of_workers(n), now + how_long(for_), by))

    def set_limits(self, minimum: int | None = None, maximum: float | None = None, *, by: str = "") -> None:
        """Change the bounds; None leaves one as it is.

        Raises:
            ConfigurationError: they contradict each other or are no numbers of workers.
        """
        low, high = limits(self._life.bounds, minimum, maximum)
        self._life.command(SetLimits(self._life.now(), low, high, by))

    def change_settings(self, changed: Mapping[str, Any], *, by: str = "") -> tuple[str, ...]:
        """Go by other settings from now on, as far as that is possible while it runs.

        Args:
            changed: by name, with values as `Settings` has them.
            by: who has said so, for the record.

        Returns:
            The names of those that count from now on; the others are read only at the beginning of a lifetime.

        Raises:
            ConfigurationError: there is no such policy, or the bounds contradict each other; nothing has been changed.
            ScalerStoppedError: it is not running.
        """
        live = {name: value for name, value in changed.items() if name in LIVE}
        settings = evolve(self.settings, **live)
        if live.keys() & BOUNDS:
            limits(self._life.bounds, live.get("minimum"), live.get("maximum"))
        policy = self._life.policy_by(settings) if live.keys() & POLICY else None
        now = self._life.now()
        self.settings = settings
        if others := {name: value for name, value in live.items() if name not in BOUNDS}:
            self._life.change(settings, in_words(others), by)
        if policy is not None:
            self._life.command(SetPolicy(now, settings.policy, policy, by))
        if live.keys() & BOUNDS:
            self.set_limits(live.get("minimum"), live.get("maximum"), by=by)
        return tuple(sorted(live))

    def share(self, n: int | None, words: str = "of what several share") -> None:
        """Have at most ``n`` workers, this cluster's part of a maximum that several share; None for no such bound.

        Args:
            n: how many workers; rounded down to whole units. The minimum gives way to it.
            words: of how many, and beside whom; goes into the reason that records tell.
        """
        share = None if n is None else Share(number_of_workers(n), words)
        if self._life.stage == "created":
            self._life.preset(SetShare(0.0, share))
        else:
            self._life.command(SetShare(self._life.now(), share))

    def use_policy(self, name: str, *, by: str = "") -> None:
        """Let another policy decide from the next look on; a shadow of this name takes over with all that it has seen.

        Args:
            name: as the setting `policy` has it: ``"adaptive"``, ``"fixed:8"`` or ``"package.module:Class"``.
            by: who has said so, for the record.

        Raises:
            ConfigurationError: there is no such policy.
            ScalerStoppedError: it is not running.
        """
        now = self._life.now()
        self._life.command(SetPolicy(now, name, self._life.policy(name), by))

    # What can be seen

    def statistics(self) -> Statistics:
        """How it is doing, as one frozen value."""
        journal = "" if self._life.journal is None else self._life.journal.trouble
        return statistics(self._life.state, self._life.history, self._life.stage, journal)

    @property
    def stage(self) -> Stage:
        """Where in its life it is."""
        return self._life.stage

    @property
    def published(self) -> int:
        """How many records there have been in this lifetime."""
        return self._life.history.published

    @property
    def claimed(self) -> Claimed:
        """What it would have of a maximum that several share."""
        return claimed(self._life.state, self._life.history)

    @property
    def log(self) -> list[tuple[float, dict[str, Any]]]:
        """What was started and given back, in the form of `distributed.deploy.Adaptive.log`; the latest entries."""
        return list(self._life.history.log)

    @property
    def history(self) -> list[Record]:
        """The latest records, oldest first."""
        return list(self._life.history.records)

    def numbered(self, after: int = 0) -> list[tuple[int, Record]]:
        """The latest records from number ``after + 1`` on, oldest first: the first one of a lifetime has the number 1."""
        return self._life.history.numbered(after)

    async def next_record(self) -> None:
        """Wait until there is another record, or adapting has ended."""
        await self._life.history.next_record()

    @property
    def decision(self) -> Decision | None:
        """The latest decision on a look or a command; None before the first look."""
        latest = self._life.history.latest
        return None if latest is None else latest.decision

    @property
    def cost(self) -> LedgerSummary:
        """Worker-seconds paid so far, and what for."""
        return self._life.ledger.summary

    @property
    def tally(self) -> TallySummary:
        """How often things have happened so far, and how long they took."""
        return self._life.tally.summary

    @property
    def sample(self) -> Sample | None:
        """The latest look at the cluster."""
        return self._life.sample

    @property
    def journal_lost(self) -> int | None:
        """Records that the journal had to leave out; None where no journal is wanted."""
        journal = self._life.journal
        return None if journal is None else journal.lost

    @property
    def holds_lease(self) -> bool | None:
        """Whether it is the cluster's one driver; None where the cluster has no lease to give, or it does not run."""
        return self._life.holds_lease

    @property
    def taken_over(self) -> bool:
        """Whether adapting ended because somebody else drives the cluster by now."""
        return self._life.taken_over

    @property
    def flights(self) -> Mapping[UnitId, FlightKind]:
        """What is being done to units now; some of these the latest `sample` may not have seen yet."""
        flights = self._life.state.flights.items()
        return {unit: flight.kind for unit, flight in flights if flight.settled is None}

    def listen(self, listener: Listener) -> None:
        """Have every event of this lifetime and its record from now on; the listener must neither block nor fail."""
        self._life.listeners.append(listener)

    @property
    def stopped_by(self) -> str:
        """Who has commanded that adapting ends, where somebody has; empty while it goes on."""
        return self._life.end.by

    async def records(self) -> AsyncGenerator[Record]:
        """Follow the records from now on, until adapting ends. A slow reader misses the oldest ones."""
        history = self._life.history
        follower = history.follow()
        try:
            async for record in follower:
                yield record
        finally:
            history.unfollow(follower)

    async def wait_for(self, n_workers: int) -> None:
        """Wait until at least ``n_workers`` workers have registered. Brings none by itself: see `request`.

        Raises:
            ScalerStoppedError: adapting ended before.
        """
        while True:
            units = () if self.sample is None else self.sample.units
            if sum(len(unit.workers) for unit in units if unit.state == "registered") >= n_workers:
                return
            if self._life.stage == "stopped":
                raise ScalerStoppedError(f"adapting ended before there were {n_workers} workers")
            await self._life.history.next_record()

    # The lifetime

    async def run(self, *, task_status: TaskStatus[Adaptive] = anyio.TASK_STATUS_IGNORED) -> None:
        """Adapt until `stop`, the cluster's end or a cancellation; ready once it takes commands.

        Once it has ended it may be run again: a new lifetime, with nothing left of the one before.

        Raises:
            AlreadyDriven: the cluster has another driver.
            ExceptionGroup: of what went wrong inside.
            RuntimeError: it is running already.
        """
        if self._life.stage in {"running", "stopping"}:
            raise RuntimeError("this scaler is running already")
        if self._life.stage == "stopped":
            self._life = self._new_life()
        await self._life.run(ready=lambda: task_status.started(self))

    def _new_life(self) -> Lifetime:
        return Lifetime(self.cluster, self.settings, self._load, self._suggest)

    # Asking the cluster, by way of what a subclass may have overridden

    async def _load(self) -> Load:
        if type(self).target is Adaptive.target:
            return await self._life.port.target(self.settings.target_duration)
        with foreign_errors("target()"):
            return Load(int(await _result(self.target())), "target() of a class of your own")

    async def _suggest(self, target: int) -> Sequence[WorkerName]:
        with foreign_errors("workers_to_close()"):
            return [WorkerName(str(name)) for name in await _result(self.workers_to_close(target))]


async def _result(answer: Any) -> Any:
    """What a method returned that may have been overridden by a plain one."""
    return await answer if inspect.isawaitable(answer) else answer
