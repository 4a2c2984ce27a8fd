"""The scaling loop: owns the state, takes one event after the other from its inbox, starts what was decided."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from attrs import define

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    Event,
    Finished,
    Outcome,
    Record,
    Sample,
    Sampled,
    SampleFailed,
    Suggested,
)
from trio_adaptive.decision.state import State
from trio_adaptive.runtime.actions import Actions

logger = logging.getLogger("trio_adaptive")


@define
class Scaler:
    """The one place where state changes.

    Attributes:
        state: the latest.
        inbox: everything that happens comes through here.
        actions: starts what was decided.
        wake: asks for a look soon.
        publish: takes each record; must not block.
        seen: takes each sample; must not block.
    """

    state: State
    inbox: MemoryObjectReceiveStream[Event]
    actions: Actions
    wake: Callable[[], None]
    publish: Callable[[Record], None]
    seen: Callable[[Sample], None]

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
        failures = self.state.failures
        self.state, actions, record = decide(self.state, event)
        for action in actions:
            self.actions.start(action)
        if self.state.failures > failures:
            _warn_of_failure(self.state, record)
        match event:
            case Sampled():
                self.seen(event.sample)
            case SampleFailed():
                logger.warning("No answer, so nothing is changed: %s", event.error)
            case Finished():
                _tell(event.outcome)
                self.wake()
            case Suggested():
                pass
            case _:  # a command: let it show at once
                self.wake()
        self.publish(record)


def _warn_of_failure(state: State, record: Record) -> None:
    delay = max(0.0, state.retry_at - record.at)
    logger.warning("Launch failed (%d in a row), next in %.1f s: %s", state.failures, delay, state.last_error)


def _tell(outcome: Outcome) -> None:
    units = ", ".join(outcome.units)
    if outcome.action != "launch" and outcome.result in {"failed", "timed out"}:
        logger.warning("The %s of %s %s: %s", outcome.action, units, outcome.result, outcome.detail)
    elif outcome.action == "drain" and outcome.result == "refused":
        logger.info("The drain of %s was refused: %s", units, outcome.detail)
