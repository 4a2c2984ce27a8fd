"""Doing what was decided: every action for every unit is a child task of its own, inside its own deadline.

So a hung drain or launch delays nothing else. Each ends as an `Outcome` in the scaling loop's inbox. The tasks are
shielded: a cancellation from outside reaches the runtime, which then gives them the time to end well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, assert_never

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream
from attrs import define, field

from trio_adaptive.clusters.base import Cluster, Terms
from trio_adaptive.config import Settings
from trio_adaptive.decision.model import (
    Action,
    ActionName,
    Cancel,
    Drain,
    Event,
    Finished,
    Launch,
    Lost,
    Outcome,
    Recall,
    Result,
    Suggest,
    Suggested,
    UnitId,
    WorkerName,
)
from trio_adaptive.errors import ClusterClosed, ClusterError, DrainRefused

Suggester: TypeAlias = Callable[[int], Awaitable[Sequence[WorkerName]]]


@define(eq=False)
class _Flight:
    """One action under way for some units."""

    action: ActionName
    units: tuple[UnitId, ...]
    timeout: float
    begun: float = field(factory=anyio.current_time)
    terms: Terms = field(factory=Terms)
    scope: anyio.CancelScope = field(factory=lambda: anyio.CancelScope(shield=True))
    recalled: bool = False


@define
class Actions:
    """Starts actions and keeps hold of those in flight.

    Attributes:
        cluster: what they act on.
        suggest: answers `Suggest`.
        settings: the deadlines.
        inbox: where outcomes go; has room for all of them, so that no action waits for the loop.
        tasks: where the children live.
        closed: whether one of them has found the cluster closed.
    """

    cluster: Cluster
    suggest: Suggester
    settings: Settings
    inbox: MemoryObjectSendStream[Event]
    tasks: TaskGroup
    closed: bool = field(default=False, init=False)
    _flights: set[_Flight] = field(factory=set)
    _drains: dict[UnitId, _Flight] = field(factory=dict)
    _questions: set[anyio.CancelScope] = field(factory=set)
    _landed: anyio.Event = field(factory=anyio.Event)

    def start(self, action: Action) -> None:
        """Begin an action; returns at once."""
        match action:
            case Launch(units=units):
                flight = _Flight("launch", units, self.settings.request_timeout)
                self._spawn(flight, lambda: self.cluster.launch(units))
            case Cancel(units=units):
                flight = _Flight("cancel", units, self.settings.stop_timeout)
                self._spawn(flight, lambda: self.cluster.cancel(units))
            case Drain(units=units, only_idle=only_idle):
                for unit in units:
                    self._drain(unit, only_idle=only_idle)
            case Recall(units=units):
                for unit in units:
                    self._recall(unit)
            case Suggest(question=question, target=target):
                scope = anyio.CancelScope()
                self._questions.add(scope)
                self.tasks.start_soon(self._suggest, scope, question, target)
            case _:
                assert_never(action)

    def drop_questions(self) -> None:
        """Wait no longer for suggestions."""
        for scope in self._questions:
            scope.cancel()

    def recall_drains(self) -> None:
        """Give back to service whatever still can be."""
        for unit in list(self._drains):
            self._recall(unit)

    def cancel_all(self) -> None:
        """Cancel everything that is in flight."""
        for flight in self._flights:
            flight.scope.cancel()

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and no question is open."""
        return not self._flights and not self._questions

    async def wait_landed(self) -> None:
        """Wait until the next action or question has ended."""
        if self._landed.is_set():
            self._landed = anyio.Event()
        await self._landed.wait()

    async def wait_idle(self) -> None:
        """Wait until nothing is in flight."""
        while self._flights:
            await self.wait_landed()

    def _drain(self, unit: UnitId, *, only_idle: bool) -> None:
        flight = _Flight("drain", (unit,), self.settings.drain_timeout)
        terms = flight.terms = Terms(
            only_idle,
            flight.begun + flight.timeout,
            on_forcing=lambda: self._allow(flight, flight.timeout + self.settings.stop_timeout),
            on_stopping=lambda: self._stopping(flight),
        )
        self._drains[unit] = flight
        self._spawn(flight, lambda: self.cluster.drain(unit, terms))

    def _stopping(self, flight: _Flight) -> None:
        # Its tasks and its data are safe: that the resource manager hangs is no reason to wait any longer.
        self._allow(flight, anyio.current_time() - flight.begun + self.settings.stop_timeout)

    def _allow(self, flight: _Flight, timeout: float) -> None:
        flight.timeout = timeout
        flight.scope.deadline = flight.begun + timeout

    def _recall(self, unit: UnitId) -> None:
        flight = self._drains.get(unit)
        if flight is None:
            return  # its outcome is in the inbox already
        if flight.terms.committed:
            late = Outcome(anyio.current_time(), "recall", (unit,), "refused", detail="it is leaving already")
            self.inbox.send_nowait(Finished(late))
        else:
            flight.recalled = True
            flight.scope.cancel()

    def _spawn(self, flight: _Flight, call: Callable[[], Awaitable[None]]) -> None:
        # Known before the task runs, so that nobody believes that nothing is in flight.
        self._flights.add(flight)
        self.tasks.start_soon(self._fly, flight, call)

    async def _fly(self, flight: _Flight, call: Callable[[], Awaitable[None]]) -> None:
        self._allow(flight, flight.timeout)
        try:
            result, detail = await self._result(flight, call)
        finally:
            self._flights.discard(flight)
            for unit in flight.units:
                if self._drains.get(unit) is flight:
                    del self._drains[unit]
            self._landed.set()
        now = anyio.current_time()
        lost = flight.terms.lost or Lost()
        outcome = Outcome(now, flight.action, flight.units, result, now - flight.begun, detail, lost)
        self.inbox.send_nowait(Finished(outcome))

    async def _result(self, flight: _Flight, call: Callable[[], Awaitable[None]]) -> tuple[Result, str]:
        try:
            with flight.scope:
                await call()
                return ("done" if flight.terms.lost is None else "forced"), ""
        except DrainRefused as error:
            return "refused", str(error)
        except ClusterError as error:
            self.closed |= isinstance(error, ClusterClosed)
            return "failed", str(error)
        if flight.recalled:
            return "recalled", "back in service before it had left"
        if anyio.current_time() >= flight.scope.deadline:
            return "timed out", f"did not end within {flight.timeout:g} s"
        return "timed out", "adapting ended first"

    async def _suggest(self, scope: anyio.CancelScope, question: int, target: int) -> None:
        workers: tuple[WorkerName, ...] | None = None
        error = f"no suggestion within {self.settings.call_timeout:g} s"
        scope.deadline = anyio.current_time() + self.settings.call_timeout
        try:
            with scope:
                workers = tuple(await self.suggest(target))
                error = ""
        except ClusterError as failure:
            self.closed |= isinstance(failure, ClusterClosed)
            error = str(failure)
        finally:
            self._questions.discard(scope)
        self.inbox.send_nowait(Suggested(anyio.current_time(), question, workers, error))
        self._landed.set()
