"""One lifetime of adapting, from entering to leaving: the nurseries, and the channels between their tasks.

The outer nursery holds the actions and lives until the last of them is over. The inner one is the adapting itself:
the collector, the scaling loop, the cluster's own watch and the shutdown watcher. Its cancel scope is what ends
adapting, whoever asks for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from attrs import evolve, frozen

from trio_adaptive.clusters import opened
from trio_adaptive.clusters.base import Cluster, Telling
from trio_adaptive.config import Settings
from trio_adaptive.decision.model import (
    Command,
    Event,
    Record,
    Sample,
    SetLimits,
    SetRules,
    SetSchedule,
    Stop,
)
from trio_adaptive.decision.obey import obey
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.errors import AlreadyDriven, GivenUp, ScalerStoppedError
from trio_adaptive.journal.ledger import Ledger
from trio_adaptive.journal.tally import Tally
from trio_adaptive.runtime.actions import Actions, Suggester
from trio_adaptive.runtime.beginning import first_state, patient
from trio_adaptive.runtime.calendar import Calendar
from trio_adaptive.runtime.changes import rules_of
from trio_adaptive.runtime.collector import Collector, LoadSource
from trio_adaptive.runtime.history import History, Stage
from trio_adaptive.runtime.hopeless import Hopeless
from trio_adaptive.runtime.lease import is_leased, leased
from trio_adaptive.runtime.leaving import leave
from trio_adaptive.runtime.policies import checked_policy, policy_of
from trio_adaptive.runtime.recall import Recall
from trio_adaptive.runtime.scaler import Scaler, Tell, log
from trio_adaptive.runtime.step import one_step

if TYPE_CHECKING:
    from trio_adaptive.journal.writing import Journal

Listener: TypeAlias = Callable[[Event, Record], None]
"""Takes what has happened and the record of it; must not block."""

CANCELLED: Final = Stop(0.0, "cancelled")
"""The end that nobody has asked for."""


@frozen
class Parts:
    """What works together while it adapts, and where commands and the wish for an end go in."""

    scaler: Scaler
    actions: Actions
    collector: Collector
    calendar: Calendar
    events: MemoryObjectSendStream[Event]
    ends: MemoryObjectSendStream[Stop]

    def change(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self.actions.settings = settings
        self.collector.settings = settings
        self.calendar.change(settings.schedules)


class Lifetime:
    """Runs once.

    Attributes:
        stage: where in its life it is.
        history: its records.
        ledger: its cost.
        tally: how often things have happened in it.
        sample: the latest look at the cluster.
        bounds: minimum and maximum as last asked for; the scaling loop may not have heard of it yet.
        ready: set when it takes commands, or has ended.
        stopped: set when nothing of it is left.
        journal: what is written of it, while it runs and where that is wanted.
        taken_over: whether it ended because somebody else drives the cluster by now.
        end: what has ended it, or is going to.
        listeners: get every event with its record.
    """

    def __init__(
        self, cluster: object, settings: Settings, load: LoadSource, suggest: Suggester, tell: Tell = log
    ) -> None:
        self.stage: Stage = "created"
        self.history = History(settings.log_length)
        self.ledger = Ledger()
        self.tally = Tally()
        self.sample: Sample | None = None
        self.bounds: tuple[int, float] = (settings.minimum, settings.maximum)
        self.ready = anyio.Event()
        self.stopped = anyio.Event()
        self.journal: Journal | None = None
        self.taken_over = False
        self.end = CANCELLED
        self.listeners: list[Listener] = []
        self._cluster = cluster
        self._settings = settings
        self._load = load
        self._suggest = suggest
        self._tell = tell
        self._recall = Recall(settings)
        self._state = first_state(settings, self._recall)
        self._port: Cluster | None = None
        self._parts: Parts | None = None
        self._failure: GivenUp | None = None
        self._hopeless = Hopeless(settings)
        self._called_off: Stop | None = None

    @property
    def state(self) -> State:
        """What the decision remembers now."""
        return self._state if self._parts is None else self._parts.scaler.state

    def change(self, settings: Settings, words: str, by: str) -> None:
        """Go by these settings from now on, as far as they can be changed: see `trio_adaptive.runtime.changes`."""
        now = self.now()
        self._settings = settings
        self._hopeless.settings = settings
        if self._parts is not None:
            self._parts.change(settings)
        self.command(SetRules(now, self._rules(settings), words, by))

    def _rules(self, settings: Settings) -> Rules:
        rules = rules_of(settings)
        return rules if self._port is None else patient(rules, self._port)

    @property
    def port(self) -> Cluster:
        """The cluster, while there is a line to it."""
        if self._port is None:
            raise ScalerStoppedError("the scaler is not running")
        return self._port

    @property
    def holds_lease(self) -> bool | None:
        """Whether it is the cluster's one driver; None where the cluster has no lease to give, or it does not run."""
        if self.taken_over:
            return False
        return True if self._port is not None and is_leased(self._port) else None

    def now(self) -> float:
        """The time of a command."""
        if self._parts is None:
            raise ScalerStoppedError("the scaler is not running: enter adaptive() or start run() first")
        return anyio.current_time()

    def policy(self, name: str) -> Policy:
        """The policy of this name, with what is known from before.

        Raises:
            ConfigurationError: there is none.
        """
        return policy_of(checked_policy(self._settings, name), self._recall.memory)

    def policy_by(self, settings: Settings) -> Policy:
        """The policy that these settings name; see `policy`."""
        return policy_of(settings, self._recall.memory)

    def preset(self, command: Command) -> None:
        """Obey a command before the beginning."""
        self._note(command)
        self._state = obey(self._state, command)

    def command(self, command: Command) -> None:
        """Hand a command to the scaling loop; returns at once."""
        if self._parts is not None:
            self._note(command)
            self._parts.events.send_nowait(command)

    def _note(self, command: Command) -> None:
        if isinstance(command, SetLimits):
            low, high = self.bounds
            self.bounds = (
                low if command.minimum is None else command.minimum,
                high if command.maximum is None else command.maximum,
            )

    def stop(self, reason: str, by: str = "") -> None:
        """Ask for the end; returns at once, and may be repeated, also from a callback, where no clock is known yet."""
        stop = Stop(0.0, reason, by)
        if self._parts is not None:
            self._parts.ends.send_nowait(stop)
        elif self.stage == "running":  # the cluster is still being opened
            self._called_off = self._called_off or stop

    def recall_drains(self) -> None:
        """Give back to service at once whatever still can be."""
        if self._parts is not None:
            self._parts.actions.recall_drains()

    async def run(self, ready: Callable[[], None]) -> None:
        """Live; ``ready`` is called when commands are taken.

        Raises:
            AlreadyDriven: the cluster has a driver.
            GivenUp: it has ended by itself, since a setting says so.
        """
        self.stage = "running"
        try:
            async with opened(self._cluster) as self._port, leased(self._port, self._settings):
                if self._called_off is not None:
                    self.end = evolve(self._called_off, at=anyio.current_time())
                    self.preset(self.end)
                    ready()
                else:
                    await self._adapt(self._port, ready)
            if self._failure is not None:
                raise self._failure
        finally:
            self._state = self.state
            self._port = self._parts = None
            self.stage = "stopped"
            self.ledger.close(anyio.current_time())
            self.history.end()
            self.ready.set()
            self.stopped.set()

    async def _adapt(self, port: Cluster, ready: Callable[[], None]) -> None:
        events, inbox = anyio.create_memory_object_stream[Event](math.inf)
        ends, stops = anyio.create_memory_object_stream[Stop](math.inf)
        wake_ups, wakes = anyio.create_memory_object_stream[None](1)
        journal = _journal(self._settings, self._state.prefix, self._tell)
        with events, inbox, ends, stops, wake_ups, wakes, journal as self.journal:
            async with anyio.create_task_group() as outer:
                self._state = evolve(self._state, rules=patient(self._state.rules, port))
                actions = Actions(port, self._suggest, self._settings, events, outer)
                wake = _waker(wake_ups)
                scaler = self._make_scaler(inbox, actions, wake)
                calm = _calm(port, scaler)
                collector = Collector(
                    port, self._load, self._settings, wakes, events, ends, calm, self.tally.late
                )
                calendar = self._make_calendar(events.send_nowait)
                self._parts = Parts(scaler, actions, collector, calendar, events, ends)
                calendar.tell()  # ahead of the first look
                if self.journal is not None:
                    outer.start_soon(self.journal.run)
                try:
                    async with anyio.create_task_group() as adapting:
                        adapting.start_soon(collector.run)
                        adapting.start_soon(scaler.run)
                        adapting.start_soon(calendar.run)
                        adapting.start_soon(self._watch, port, wake)
                        adapting.start_soon(self._watch_shutdown, stops, adapting)
                        self.ready.set()
                        ready()
                finally:
                    self.stage = "stopping"
                    self._hear_last(stops)
                    with anyio.CancelScope(shield=True):
                        try:
                            await leave(scaler, actions, port, self._settings_at_the_end, self.end)
                        finally:
                            if self.journal is not None:
                                self.journal.close(self.end.reason)
                    self._recall.save(scaler.state.startups)
                    # Commands come too late, also while the line is closed.
                    self._state, self._parts = scaler.state, None

    async def step(self) -> None:
        """Look and decide once, out of turn; returns when what follows from it has ended. Needs no `run`.

        Raises:
            ClusterError: the look failed.
        """
        if self._parts is not None:
            await one_step(self.port, self._load, self._parts.scaler, self._parts.actions)
            return
        events, inbox = anyio.create_memory_object_stream[Event](math.inf)
        with events, inbox:
            async with opened(self._cluster) as self._port, anyio.create_task_group() as tasks:
                actions = Actions(self._port, self._suggest, self._settings, events, tasks)
                scaler = self._make_scaler(inbox, actions, lambda: None)
                try:
                    self._make_calendar(scaler.step).tell()
                    await one_step(self._port, self._load, scaler, actions)
                finally:
                    self._state = scaler.state
            self._port = None

    def _make_scaler(
        self, inbox: MemoryObjectReceiveStream[Event], actions: Actions, wake: Callable[[], None]
    ) -> Scaler:
        return Scaler(self._state, inbox, actions, wake, self._publish, self._see, self._tell)

    def _make_calendar(self, send: Callable[[SetSchedule], None]) -> Calendar:
        return Calendar(self._settings.schedules, send, self._state.windows)

    def _publish(self, event: Event, before: State, record: Record) -> None:
        self.history.publish(record, self.sample)
        self.tally.add(event, before, self.state, record, anyio.current_time() - event.at)
        if self.journal is not None:
            self.journal.put(event, before, record)
        for listener in self.listeners:
            listener(event, record)
        if not before.stopping and (error := self._hopeless.after(event, self.state)) is not None:
            self._failure = error
            self.stop(str(error))

    async def _watch_shutdown(self, stops: MemoryObjectReceiveStream[Stop], adapting: TaskGroup) -> None:
        self.end = evolve(await stops.receive(), at=anyio.current_time())
        adapting.cancel_scope.cancel()

    def _hear_last(self, stops: MemoryObjectReceiveStream[Stop]) -> None:
        """Who has asked for the end, also where a cancellation was faster."""
        if self.end == CANCELLED:
            with suppress(anyio.WouldBlock):
                self.end = evolve(stops.receive_nowait(), at=anyio.current_time())

    async def _watch(self, port: Cluster, wake: Callable[[], None]) -> None:
        try:
            await port.watch(wake)
        except AlreadyDriven as error:
            self.taken_over = True
            self.stop(str(error))

    @property
    def _settings_at_the_end(self) -> Settings:
        # How many workers there are is somebody else's to decide by then. To "close" means ours, which end with us.
        if self.taken_over and self._settings.on_exit == "minimum":
            return evolve(self._settings, on_exit="keep")
        return self._settings

    def _see(self, sample: Sample) -> None:
        self.sample = sample
        self.ledger.add(sample)
        self._recall.see(sample)


def _journal(settings: Settings, run: str, tell: Tell) -> AbstractContextManager[Journal | None]:
    if not settings.journal:
        return nullcontext()
    from trio_adaptive.journal.writing import open_journal  # noqa: PLC0415 - only those who want one wait for it

    return open_journal(settings, run, tell)


def _calm(port: Cluster, scaler: Scaler) -> Callable[[], bool]:
    """Tells whether the size is as it should be, and whatever is to change that comes with a wake-up."""
    # Asked once: it takes a tenth of a whole look to find out what methods an object has.
    telling = port if isinstance(port, Telling) else None
    return lambda: scaler.is_settled and telling is not None and telling.tells_all


def _waker(stream: MemoryObjectSendStream[None]) -> Callable[[], None]:
    def wake() -> None:
        # One waiting wake-up stands for all of them; after the end nobody is there to be woken.
        with suppress(anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            stream.send_nowait(None)

    return wake
