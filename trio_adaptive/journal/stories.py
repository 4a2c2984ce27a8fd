"""What a journal tells, put together: each decision that did something, with what has become of it later.

Only values live here: it folds what `trio_adaptive.journal.reading` yields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

from attrs import define, evolve, field, frozen

from trio_adaptive.decision.model import (
    Action,
    Cancel,
    Command,
    Decision,
    Drain,
    Launch,
    Outcome,
    Sample,
    Sampled,
    Suggest,
    UnitId,
    WorkerName,
)
from trio_adaptive.journal.lines import End, Entry, Header
from trio_adaptive.journal.reading import Damage, Read

Fate: TypeAlias = Literal[
    "registered", "done", "forced", "recalled", "refused", "timed out", "failed", "gone"
]
"""Of a launch: registered, failed, or gone before that; of a unit that was to leave: as its `Outcome`."""


@frozen
class Ending:
    """What has become of one unit after a decision.

    Attributes:
        fate: in one word.
        took: seconds since the decision.
        detail: in the words of the cluster.
        outcome: what ended it, where that was an action.
    """

    fate: Fate
    took: float
    detail: str = ""
    outcome: Outcome | None = None


@define(eq=False)
class Decided:
    """A decision that did something, or that could not.

    Attributes:
        time: seconds since 1970.
        decision: with its chain of reasons.
        endings: of the units that it was about, as far as they are known.
        members: the workers of these units, as far as they were seen.
    """

    time: float
    decision: Decision
    endings: dict[UnitId, Ending] = field(factory=dict[UnitId, Ending])
    members: dict[UnitId, tuple[WorkerName, ...]] = field(factory=dict[UnitId, tuple[WorkerName, ...]])

    @property
    def units(self) -> list[UnitId]:
        """All that it was about."""
        acting = (action for action in self.decision.actions if not isinstance(action, Suggest))
        return [unit for action in acting for unit in action.units]


@define(eq=False)
class Silence:
    """The cluster, or its scheduler, gave no answer.

    Attributes:
        time: since when, in seconds since 1970.
        error: what was wrong at first.
        looks: how many were not answered.
        until: when one was answered again, in seconds since 1970; None where that never came.
    """

    time: float
    error: str
    looks: int = 1
    until: float | None = None


@frozen
class Told:
    """Something that was said: a command, the beginning, the end, or what could not be read."""

    time: float
    what: Command | Header | End | Damage


Story: TypeAlias = Decided | Silence | Told

LEAVING = (Cancel, Drain)


def stories(lines: Iterable[Read], *, at: float = math.inf) -> list[Story]:
    """All that there is to tell, oldest first.

    Args:
        lines: of the journal.
        at: a time since 1970: then the last one is what was decided on the last look before that, be it nothing. What
            became of it is told as far as it is known, also from later.
    """
    teller = Teller(at)
    for line in lines:
        teller.add(line)
    told = [story for story in teller.stories if story.time <= at]
    if teller.look is not None and not any(story.time == teller.look.time for story in told):
        told.append(teller.look)
    return told


def about(story: Story, name: str) -> Story | None:
    """What of a story concerns one unit or worker; None where it is something else."""
    if not isinstance(story, Decided):
        return None
    units = {unit for unit in story.units if name in (unit, *story.members.get(unit, ()))}
    actions = [_only(action, units) for action in story.decision.actions]
    chosen = [line for line in story.decision.chosen if line.split(": ", 1)[0] in units]
    decision = evolve(
        story.decision, actions=tuple(a for a in actions if a is not None), chosen=tuple(chosen), note=""
    )
    return Decided(story.time, decision, story.endings, story.members) if units else None


def _only(action: Action, units: set[UnitId]) -> Action | None:
    if isinstance(action, Suggest):
        return None
    left = tuple(unit for unit in action.units if unit in units)
    return evolve(action, units=left) if left else None


@define
class Teller:
    """Makes stories of lines, one after the other.

    Attributes:
        at: see `stories`.
        look: what was decided on the last look before that.
        stories: so far, oldest first; whoever keeps a teller for long takes the oldest away.
    """

    at: float = math.inf
    look: Decided | None = None
    stories: list[Story] = field(factory=list[Story])
    _time: float = 0.0
    _launches: dict[UnitId, Decided] = field(factory=dict[UnitId, Decided])
    _leaving: dict[UnitId, Decided] = field(factory=dict[UnitId, Decided])
    _silence: Silence | None = None
    _held: str = ""

    def add(self, line: Read) -> None:
        """Take the next line."""
        match line:
            case Damage():
                self.stories.append(Told(self._time, line))
            case Header(reason="rotated" | "again"):
                pass  # nothing has happened there
            case Header() | End():
                self._time = line.time
                self.stories.append(Told(line.time, line))
                self._launches, self._leaving, self._silence = {}, {}, None
            case Entry():
                self._time = line.time
                self._add_entry(line)

    def _add_entry(self, entry: Entry) -> None:
        record = entry.record
        if record.command is not None:
            self.stories.append(Told(entry.time, record.command))
        elif record.outcome is not None:
            self._end(record.outcome)
        elif record.kind == "sample failed":
            self._fall_silent(entry)
        if record.decision is not None:
            self._add_decision(entry, record.decision)
        if isinstance(entry.event, Sampled):
            self._look(entry.event.sample)
        if self._silence is not None and record.kind == "sample":
            self._silence.until, self._silence = entry.time, None

    def _fall_silent(self, entry: Entry) -> None:
        if self._silence is None:
            self._silence = Silence(entry.time, entry.record.error)
            self.stories.append(self._silence)
        else:
            self._silence.looks += 1

    def _add_decision(self, entry: Entry, decision: Decision) -> None:
        story = Decided(entry.time, decision)
        if entry.record.kind == "sample" and entry.time <= self.at < math.inf:
            self.look = story
        if not story.units:
            held = _stem(decision)
            if held and held != self._held:
                self.stories.append(story)
            self._held = held
            return
        self._held = ""
        self.stories.append(story)
        for action in decision.actions:
            if isinstance(action, Launch):
                self._launches |= dict.fromkeys(action.units, story)
            elif isinstance(action, LEAVING):
                self._leaving |= dict.fromkeys(action.units, story)

    def _look(self, sample: Sample) -> None:
        for unit_id, story in list(self._launches.items()):
            unit = sample.by_id.get(unit_id)
            took = sample.at - story.decision.at
            if unit is not None and unit.state == "registered":
                story.endings[unit_id] = Ending("registered", took)
                story.members[unit_id] = unit.workers
                del self._launches[unit_id]
            elif unit is not None and unit.state in {"failed", "lost"}:
                story.endings[unit_id] = Ending("failed", took, unit.detail)
                del self._launches[unit_id]
            elif unit is None and unit_id in story.endings:
                del self._launches[unit_id]  # its launch had ended, and nothing of it is there
        for unit_id, story in self._leaving.items():
            if unit_id in sample.by_id:
                story.members[unit_id] = sample.by_id[unit_id].workers

    def _end(self, outcome: Outcome) -> None:
        for unit_id in outcome.units:
            if outcome.action == "launch":
                story = self._launches.get(unit_id)
                if story is not None and outcome.result != "done":
                    took = outcome.at - story.decision.at
                    story.endings[unit_id] = Ending(outcome.result, took, outcome.detail, outcome)
            elif outcome.action != "recall" and unit_id in self._leaving:
                story = self._leaving.pop(unit_id)
                took = outcome.at - story.decision.at
                story.endings[unit_id] = Ending(outcome.result, took, outcome.detail, outcome)
                self._launches.pop(unit_id, None)


def _stem(decision: Decision) -> str:
    """Why less was done than was aimed at, without the numbers that change with every look."""
    why = "; ".join((decision.note, *decision.load.blocked)) if decision.final != decision.active else ""
    why = why or "; ".join(decision.load.blocked)
    return "" if "suggestion" in why or "not for long enough" in why else re.sub(r"[\d.]+", "#", why)
