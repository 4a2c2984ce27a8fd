"""What is kept from run to run: how long starts and tasks take. A small file, and never a reason to fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any, Final

from attrs import evolve, field, frozen

from trio_adaptive.decision.model import Sample
from trio_adaptive.decision.targets.durations import Remembered

VERSION: Final = 1

KINDS_KEPT: Final = 1000
"""So many kinds of tasks at most, those measured last: the file stays below 100 kB."""

STARTUPS_KEPT: Final = 16

FORGETTING: Final = 0.5
"""What was remembered of a kind weighs half as much as the run that has just measured it."""


@frozen
class Memory:
    """What earlier runs have measured.

    Attributes:
        startups: seconds from launch to registration, the latest last.
        remembered: durations of tasks by kind, the latest last.
    """

    startups: tuple[float, ...] = ()
    remembered: Mapping[str, Remembered] = field(factory=dict[str, Remembered])

    @property
    def startup(self) -> float | None:
        """The median; None where nothing is known."""
        return median(self.startups) if self.startups else None

    def with_run(self, startups: tuple[float, ...], measured: Mapping[str, Remembered]) -> Memory:
        """After a run that has measured these."""
        kinds = dict(self.remembered)
        for name, new in measured.items():
            old = kinds.pop(name, None)
            kinds[name] = new if old is None else _blended(old, new)
        kept = dict(list(kinds.items())[-KINDS_KEPT:])
        return Memory((*self.startups, *startups)[-STARTUPS_KEPT:], kept)


def _blended(old: Remembered, new: Remembered) -> Remembered:
    weight = FORGETTING * min(old.count, new.count)
    mean = (old.mean * weight + new.mean * new.count) / (weight + new.count)
    return Remembered(mean, old.count + new.count)


@frozen
class Measured:
    """What this run has measured so far, by kind."""

    kinds: Mapping[str, Remembered] = field(factory=dict[str, Remembered])

    def see(self, sample: Sample) -> Measured:
        """After a look."""
        work = sample.load.work
        new = {
            group.name: Remembered(group.mean, group.measured)
            for group in (() if work is None else work.groups)
            if group.measured
        }
        return evolve(self, kinds={**self.kinds, **new}) if new else self


def read_memory(path: Path) -> tuple[Memory, str]:
    """What a file remembers, and what is wrong with it; a file that is not there is not wrong."""
    try:
        told: Any = json.loads(path.read_text("utf-8"))
        if told["version"] != VERSION:
            return Memory(), f"{path} is of version {told['version']}, not {VERSION}, and left aside"
        kinds = {str(k): Remembered(_number(m), int(_number(n))) for k, (m, n) in told["kinds"].items()}
        return Memory(tuple(_number(each) for each in told["startups"]), kinds), ""
    except FileNotFoundError:
        return Memory(), ""
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        return Memory(), f"{path} cannot be read and is left aside: {error!r}"


def _number(told: Any) -> float:
    number = float(told)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{told} is no amount")
    return number


def write_memory(path: Path, memory: Memory) -> str:
    """Write it, all or nothing; returns what went wrong, if anything."""
    kinds = {name: [each.mean, each.count] for name, each in memory.remembered.items()}
    text = json.dumps({"version": VERSION, "startups": list(memory.startups), "kinds": kinds})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as draft:
            draft.write(text)
        Path(draft.name).replace(path)
    except OSError as error:
        return f"{path} cannot be written: {error}"
    return ""
