"""What has changed in the work from one look to the next, as plain values.

Most looks change a few counts of a few kinds of tasks: only these are written. `apply_work_changes` gives back exactly what
`work_changes` was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from attrs import evolve
from cattrs import Converter

from trio_adaptive.decision.model import TaskGroup, Work

WORK = {name: hint for name, hint in get_type_hints(Work).items() if name != "groups"}
GROUP = {name: hint for name, hint in get_type_hints(TaskGroup).items() if name != "name"}


def work_changes(before: Work, now: Work, converter: Converter) -> dict[str, Any]:
    """What ``now`` has that ``before`` has not."""
    line = _changed(before, now, WORK, converter)
    known = {group.name: group for group in before.groups}
    if len(known) < len(before.groups) or len({group.name for group in now.groups}) < len(now.groups):
        return {**line, "all": [converter.unstructure(group) for group in now.groups]}  # a name twice
    if [*known] != (names := [group.name for group in now.groups]):
        line["kinds"] = names
    changes: dict[str, Any] = {}
    for group in now.groups:
        if change := _changed(known.get(group.name, TaskGroup(group.name)), group, GROUP, converter):
            changes[group.name] = change
    return {**line, "groups": changes} if changes else line


def apply_work_changes(before: Work, line: Mapping[str, Any], converter: Converter) -> Work:
    """The work that `work_changes` was made of.

    Raises:
        ValueError, TypeError, KeyError: it is none of such a line, or of one after another work.
    """
    values = {name: converter.structure(line[name], hint) for name, hint in WORK.items() if name in line}
    if "all" in line:
        return evolve(
            before, groups=tuple(converter.structure(each, TaskGroup) for each in line["all"]), **values
        )
    known = {group.name: group for group in before.groups}
    changes = line.get("groups", {})
    groups: list[TaskGroup] = []
    for name in line.get("kinds", known):
        new = {key: converter.structure(value, GROUP[key]) for key, value in changes.get(name, {}).items()}
        group = known.get(name, TaskGroup(name))
        groups.append(evolve(group, **new) if new else group)
    return evolve(before, groups=tuple(groups), **values)


def _changed(before: object, now: object, hints: Mapping[str, Any], converter: Converter) -> dict[str, Any]:
    return {
        name: converter.unstructure(getattr(now, name), hint)
        for name, hint in hints.items()
        if getattr(before, name) != getattr(now, name)
    }
