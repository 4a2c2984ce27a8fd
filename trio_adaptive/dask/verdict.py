"""Upstream's `recommendations`, answered by this package's core: what would be done, in upstream's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
from attrs import evolve

from trio_adaptive.config import Settings
from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.model import (
    Action,
    Cancel,
    Drain,
    Launch,
    Load,
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


class Verdicts:
    """Remembers who could leave for how many answers in a row, and nothing else."""

    def __init__(self, settings: Settings) -> None:
        rules = Rules(interval=settings.interval, wait_count=settings.wait_count, idle_timeout=0)
        self._state = State(rules, maximum=settings.maximum)

    async def give(self, adaptive: Any, target: int) -> Mapping[str, Any]:
        """``{"status": "same"}``, ``{"status": "up", "n": n}`` or ``{"status": "down", "workers": [...]}``.

        Args:
            adaptive: an object of upstream's kind: its sets and its ``workers_to_close`` are asked.
            target: how many workers there should be, within the bounds.
        """
        now = anyio.current_time()
        own = {str(name): name for name in adaptive.plan}
        actions = self._decide(Sampled(Sample(now, now, "interval", _units(adaptive), Load(target))))
        if actions and isinstance(actions[-1], Suggest):
            names = await adaptive.workers_to_close(target=target)
            workers = tuple(WorkerName(str(name)) for name in names)
            actions = self._decide(Suggested(now, actions[-1].question, workers))
        if any(isinstance(action, Launch) for action in actions):
            return {"status": "up", "n": target}
        leaving = [unit for action in actions if isinstance(action, Cancel | Drain) for unit in action.units]
        if leaving:
            return {"status": "down", "workers": [own.get(unit, unit) for unit in leaving]}
        return {"status": "same"}

    def _decide(self, event: Sampled | Suggested) -> tuple[Action, ...]:
        state, actions, _ = decide(self._state, event)
        # Nothing is in flight: a verdict is not carried out here.
        self._state = evolve(state, flights={}, launched_at={})
        return actions


def _units(adaptive: Any) -> tuple[Unit, ...]:
    requested, observed = (set(map(str, names)) for names in (adaptive.requested, adaptive.observed))

    def state(name: str) -> UnitState:
        if name in observed:
            return "registered"
        return "requested" if name in requested else "planned"

    names = sorted(map(str, adaptive.plan), key=lambda name: (len(name), name))
    return tuple(Unit(UnitId(name), state(name), (WorkerName(name),)) for name in names)
