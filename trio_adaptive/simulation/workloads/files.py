"""Workloads from files: JSON Lines, WfCommons instances, and logs in the Standard Workload Format."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.simulation.workloads.model import Task, Workload, make_workload

SWF_FIELDS: Final = 18
"""Numbers in a line of a log, see https://www.cs.huji.ac.il/labs/parallel/workload/swf.html."""

FORMS: Final = "JSON Lines (.jsonl), a WfCommons instance (.json) or a log (.swf), each also with .gz"


def read_workload(path: Path) -> Workload:
    """The workload in a file; its form is told by its name.

    JSON Lines: one task a line, ``{"id", "submit", "duration", "deps", "group"}``, see `Task`; the last two may be
    missing. WfCommons: an instance of schema 1.4 or 1.5, everything submitted at 0. SWF: a job of n processors
    becomes n tasks of its run time; jobs that never ran are left out; the group is the executable, or the user.

    Raises:
        ConfigurationError: naming all that is wrong, each with its line.
    """
    name = path.name.removesuffix(".gz")
    readers = {".jsonl": _json_lines, ".json": _wfcommons, ".swf": _swf}
    reader = readers.get(Path(name).suffix)
    if reader is None:
        raise ConfigurationError([Mistake(str(path), f"of an unknown form: {Path(name).suffix!r}", FORMS)])
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigurationError([Mistake(str(path), f"cannot be read: {error}", FORMS)]) from error
    tasks: list[Task] = []
    places: dict[int, str] = {}
    mistakes: list[Mistake] = []
    for place, task in reader(text):
        where = f"{path}: {place}"
        if isinstance(task, Task):
            places[len(tasks)] = where
            tasks.append(task)
        else:
            mistakes.append(Mistake(where, task, "a task, see the how-to on simulating"))
    if mistakes:
        raise ConfigurationError(mistakes)
    return make_workload(Path(name).stem, tasks, places)


def _json_lines(text: str) -> Iterable[tuple[str, Task | str]]:
    if text.startswith('{"journal":'):
        yield (
            "line 1",
            "is a journal, which tells how many tasks there were but of none alone; record them with --record",
        )
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", _task_of_line(line)


def _task_of_line(line: str) -> Task | str:
    try:
        told = json.loads(line)
        deps = told.get("deps") or ()
        if isinstance(deps, str):
            return "deps is text, not a list"
        return Task(
            str(told["id"]),
            float(told["submit"]),
            float(told["duration"]),
            tuple(str(dep) for dep in deps),
            str(told.get("group", "task")),
        )
    except KeyError as error:
        return f"has no {error}"
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        return f"is no task: {error}"


def _wfcommons(text: str) -> Iterable[tuple[str, Task | str]]:
    try:
        workflow: Mapping[str, Any] = json.loads(text)["workflow"]
        nested = cast("Mapping[str, Any]", workflow.get("specification", workflow))
        entries: list[dict[str, Any]] = list(nested["tasks"])
        executed: Mapping[str, Any] = workflow.get("execution", {})
        ran = {each.get("id", each.get("name")): each for each in executed.get("tasks", [])}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        yield "workflow", f"is no WfCommons instance: {error!r}"
        return
    names = {each.get("name"): str(each.get("id") or each.get("name")) for each in entries}
    for number, entry in enumerate(entries):
        yield f"task {number}", _task_of_entry(entry, ran, names)


def _task_of_entry(entry: Mapping[str, Any], ran: Mapping[Any, Any], names: Mapping[Any, str]) -> Task | str:
    try:
        identity = str(entry.get("id") or entry["name"])
        times = {**entry, **ran.get(identity, {})}
        duration = float(times.get("runtimeInSeconds", times.get("runtime", "missing")))
        parents = tuple(names.get(parent, str(parent)) for parent in entry.get("parents", ()))
        program = cast("Mapping[str, Any]", times.get("command") or {}).get("program")
        group = entry.get("category") or program or str(entry.get("name", identity)).rstrip("0123456789_")
        return Task(identity, 0.0, duration, parents, str(group))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return f"is no task: {error!r}"


def _swf(text: str) -> Iterable[tuple[str, Task | str]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(";"):
            continue
        place = f"line {number}"
        try:
            values = [float(word) for word in words]
        except ValueError as error:
            yield place, f"is no job: {error}"
            continue
        if len(values) < SWF_FIELDS:
            yield place, f"has {len(values)} numbers, not {SWF_FIELDS}"
            continue
        job, submit, run, used, asked, user, program = (values[i] for i in (0, 1, 3, 4, 7, 11, 13))
        processors = int(max(used, asked))
        if run < 0 or processors < 1:  # cancelled before it ran
            continue
        group = f"program {program:g}" if program >= 0 else f"user {user:g}"
        for part in range(processors):
            yield place, Task(f"{job:g}.{part}", submit, run, (), group)
