"""The scaling loop: owns the state, takes one event after the other from its inbox, starts what was decided."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from attrs import define, field

from trio_adaptive.decision.amounts import lost_in_words
from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    Event,
    Finished,
    Load,
    Outcome,
    Record,
    Sample,
    Sampled,
    SampleFailed,
    Suggested,
)
from trio_adaptive.decision.state import State
from trio_adaptive.runtime.actions import Actions
from trio_adaptive.runtime.silence import Silence

Tell: TypeAlias = Callable[[int, str], None]
"""Takes a message for people and its level, as `logging.log` does."""


def log(level: int, message: str) -> None:
    """To this package's own logger."""
    logging.getLogger("trio_adaptive").log(level, "%s", message)


@define
class Scaler:
    """The one place where state changes.

    Attributes:
        state: the latest.
        inbox: everything that happens comes through here.
        actions: starts what was decided.
        wake: asks for a look soon.
        publish: takes each event, the state before it, and the record of it; must not block.
        seen: takes each sample; must not block.
        tell: takes what goes wrong, in words; must not block.
        is_settled: whether the latest decision found the size as it should be.
    """

    state: State
    inbox: MemoryObjectReceiveStream[Event]
    actions: Actions
    wake: Callable[[], None]
    publish: Callable[[Event, State, Record], None]
    seen: Callable[[Sample], None]
    tell: Tell = log
    is_settled: bool = False
    _no_answer: Silence = field(factory=lambda: Silence("answer", "nothing is changed"))
    _no_load: Silence = field(factory=lambda: Silence("load", "the size is held"))

    async def run(self) -> None:
        """Deal with events for ever."""
        async for event in self.inbox:
            self.step(event)

    def take_waiting(self) -> None:
        """Deal with what is in the inbox now."""
        with suppress(anyio.WouldBlock):
            while True:
                self.step(self.inbox.receive_nowait())

    def step(self, event: Event) -> None:
        """Deal with one event; never blocks."""
        before = self.state
        self.state, actions, record = decide(self.state, event)
        for action in actions:
            self.actions.start(action)
        if record.decision is not None:
            self.is_settled = record.decision.final == record.decision.active
        if self.state.failures > before.failures:
            self.tell(self._trouble, _launch_failed(self.state, record))
        match event:
            case Sampled():
                self.seen(event.sample)
                self._tell_of_load(event.at, event.sample.load)
                self._tell_of_blocked(
                    event.sample.load, None if before.sample is None else before.sample.load
                )
            case SampleFailed():
                self._tell_if(logging.WARNING, self._no_answer.goes_on(event.at, event.error))
            case Finished():
                self._tell_of(event.outcome)
                self.wake()
            case Suggested():
                if event.workers is None:
                    self.tell(self._trouble, f"No suggestion, so nobody leaves: {event.error}")
            case _:  # a command: let it show at once
                self.wake()
        self.publish(event, before, record)

    def _tell_of_load(self, at: float, load: Load) -> None:
        self._tell_if(logging.INFO, self._no_answer.ends(at))
        if load.missing:
            self._tell_if(logging.WARNING, self._no_load.goes_on(at, load.missing))
        else:
            self._tell_if(logging.INFO, self._no_load.ends(at))

    def _tell_if(self, level: int, words: str) -> None:
        if words:
            self.tell(level, words)

    def _tell_of_blocked(self, load: Load, before: Load | None) -> None:
        # Once, and again only when it is more: numbers of tasks change with every look. Why the load is degraded has
        # been said where that was noticed.
        if len(load.blocked) > (0 if before is None else len(before.blocked)):
            self.tell(logging.WARNING, f"No worker for them: {'; '.join(load.blocked)}")

    def _tell_of(self, outcome: Outcome) -> None:
        units = ", ".join(outcome.units)
        if outcome.action != "launch" and outcome.result in {"failed", "timed out"}:
            self.tell(self._trouble, f"The {outcome.action} of {units} {outcome.result}: {outcome.detail}")
        elif outcome.action == "drain" and outcome.result == "refused":
            self.tell(logging.INFO, f"The drain of {units} was refused: {outcome.detail}")
        elif outcome.result == "forced":
            lost = lost_in_words(outcome.lost)
            self.tell(logging.WARNING, f"{units} was made to go after {outcome.took:.1f} s: {lost}")

    @property
    def _trouble(self) -> int:
        # What was called off because adapting ends, or ended with the cluster, is no trouble.
        return logging.INFO if self.state.stopping or self.actions.closed else logging.WARNING


def _launch_failed(state: State, record: Record) -> str:
    delay = max(0.0, state.retry_at - record.at)
    return f"Launch failed ({state.failures} in a row), next in {delay:.1f} s: {state.last_error}"
