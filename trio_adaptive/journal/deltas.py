"""What has changed from one look to the next, as plain values: a thousand units a second cannot be written whole.

Rules of this file: only values, no files. `apply_changes` gives back exactly what `changes` was given, to the last bit
of a float, since decisions are to come out the same again.

A unit that is idle has been so for longer at every look. All of them by the same, where one clock tells: that is one
number, and only those that differ from it are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from attrs import evolve
from cattrs import Converter

from trio_adaptive.decision.model import Load, Sample, Unit
from trio_adaptive.journal.work import apply_work_changes, work_changes

LOAD = get_type_hints(Load)
UNIT = {name: hint for name, hint in get_type_hints(Unit).items() if name not in {"id", "idle"}}

WHOLE, CHANGED = "work", "work_changes"
"""The work as it is, or only what has changed in it."""

NOWHERE = Load(0)
"""Stands for the load where there has been no look yet; that of a decision that tells of none."""


def changes(before: Sample | None, now: Sample, converter: Converter) -> dict[str, Any]:
    """What a sample has that the one before it has not; without one before, all of it."""
    line: dict[str, Any] = {"begun": now.begun, "cause": now.cause}
    if now.new_size is not None:
        line["new_size"] = now.new_size
    if load := _load_changes(NOWHERE if before is None else before.load, now.load, converter):
        line["load"] = load
    if units := _units_changes(() if before is None else before.units, now.units, converter):
        line["units"] = units
    return line


def apply_changes(before: Sample | None, at: float, line: Mapping[str, Any], converter: Converter) -> Sample:
    """The sample that `changes` was made of.

    Raises:
        ValueError, TypeError, KeyError, IndexError: it is none of such a line, or of one after another sample.
    """
    load = NOWHERE if before is None else before.load
    said = _said(load, line.get("load", {}), converter)
    units = _changed_units(() if before is None else before.units, line.get("units", {}), converter)
    return Sample(line["begun"], at, line["cause"], units, evolve(load, **said), line.get("new_size"))


def _load_changes(before: Load, now: Load, converter: Converter) -> dict[str, Any]:
    changed = [name for name in LOAD if getattr(before, name) != getattr(now, name)]
    line = {name: converter.unstructure(getattr(now, name), LOAD[name]) for name in changed if name != WHOLE}
    if WHOLE in changed and before.work is not None and now.work is not None:
        line[CHANGED] = work_changes(before.work, now.work, converter)
    elif WHOLE in changed:
        line[WHOLE] = converter.unstructure(now.work, LOAD[WHOLE])
    return line


def _said(before: Load, line: Mapping[str, Any], converter: Converter) -> dict[str, Any]:
    said = {name: converter.structure(value, LOAD[name]) for name, value in line.items() if name != CHANGED}
    if CHANGED in line:
        if before.work is None:
            raise ValueError("changes of a work that is not known")
        said[WHOLE] = apply_work_changes(before.work, line[CHANGED], converter)
    return said


def _units_changes(before: Sequence[Unit], now: Sequence[Unit], converter: Converter) -> dict[str, Any]:
    here = {unit.id for unit in now}
    gone = [place for place, unit in enumerate(before) if unit.id not in here]
    kept = [unit for unit in before if unit.id in here] if gone else before
    pairs = list(zip(kept, now, strict=False))
    if len(here) < len(now) or len(pairs) < len(kept) or any(a.id != b.id for a, b in pairs):
        return {"all": [converter.unstructure(unit) for unit in now]}  # in another order, or a name twice
    line: dict[str, Any] = {"gone": gone} if gone else {}
    if new := now[len(kept) :]:
        line["new"] = [converter.unstructure(unit) for unit in new]
    changed = [(place, a, b) for place, (a, b) in enumerate(pairs) if a != b]
    return line | _columns(changed, converter) | _idle_column(pairs) if changed else line


def _columns(pairs: Sequence[tuple[int, Unit, Unit]], converter: Converter) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, hint in UNIT.items():
        changed = {
            str(place): converter.unstructure(getattr(b, name), hint)
            for place, a, b in pairs
            if getattr(a, name) != getattr(b, name)
        }
        if changed:
            columns[name] = changed
    return columns


def _idle_column(pairs: Sequence[tuple[Unit, Unit]]) -> dict[str, Any]:
    steps = Counter(b.idle - a.idle for a, b in pairs if a.idle is not None and b.idle is not None)
    longer = max(steps, key=steps.__getitem__, default=0.0)
    line: dict[str, Any] = {"longer": longer} if longer else {}
    column = {str(place): b.idle for place, (a, b) in enumerate(pairs) if _after(a.idle, longer) != b.idle}
    return {**line, "idle": column} if column else line


def _after(idle: float | None, longer: float) -> float | None:
    return None if idle is None else idle + longer


def _changed_units(before: Sequence[Unit], line: Mapping[str, Any], converter: Converter) -> tuple[Unit, ...]:
    if "all" in line:
        return tuple(converter.structure(unit, Unit) for unit in line["all"])
    gone = set(line.get("gone", ()))
    units = [unit for place, unit in enumerate(before) if place not in gone]
    changed: dict[int, dict[str, Any]] = {}
    if longer := line.get("longer", 0.0):
        changed = {place: {"idle": u.idle + longer} for place, u in enumerate(units) if u.idle is not None}
    for place, idle in line.get("idle", {}).items():
        changed.setdefault(int(place), {})["idle"] = idle
    for name, hint in UNIT.items():
        for place, value in line.get(name, {}).items():
            changed.setdefault(int(place), {})[name] = converter.structure(value, hint)
    for place, values in changed.items():
        units[place] = evolve(units[place], **values)
    return (*units, *(converter.structure(unit, Unit) for unit in line.get("new", ())))
