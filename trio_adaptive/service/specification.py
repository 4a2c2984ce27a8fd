"""A cluster by its specification: a YAML file that names a class and what to make it with.

The format is that of ``dask-ctl`` (``version``, ``module``, ``class``, ``args``, ``kwargs``), with a table ``adaptive``
of this project's own beside it. This file reads the text; `cluster_class` finds out what the names stand for.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from trio_adaptive.errors import Mistake

VERSION = "1"
"""The only version of the format that there is."""

OURS = ("asynchronous", "loop")
"""Arguments that say on which event loop a cluster lives, which is for the service to say."""

KEYS = ("version", "module", "class", "args", "kwargs", "adaptive")


@frozen
class Specification:
    """What a file says, as far as it could be understood.

    Attributes:
        module: dotted name of the module that has the class; empty where the file does not tell.
        class_name: the name of the class there; empty where the file does not tell.
        args: what the class is made with, by position.
        kwargs: what the class is made with, by name.
        adaptive: options of `trio_adaptive.config.Settings` as they were written.
    """

    module: str = ""
    class_name: str = ""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(factory=dict)
    adaptive: Mapping[str, object] = field(factory=dict)


@define
class Findings:
    """The mistakes in one file, or in one table ``under`` it, each with its place."""

    file: Path
    mistakes: list[Mistake] = field(factory=list)
    under: str = ""

    def add(self, place: str, problem: str, allowed: str) -> None:
        """Note one mistake; ``place`` is the dotted path inside, empty for the whole of it."""
        place = ".".join(filter(None, (self.under, place)))
        path = f"{self.file}: {place}" if place else str(self.file)
        self.mistakes.append(Mistake(path, problem, allowed))


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that is not known; empty when none is like it."""
    near = difflib.get_close_matches(name, list(names))
    return f", did you mean {' or '.join(near)}?" if near else ""


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def read_specification(findings: Findings) -> Specification:
    """Read the file of these findings; what is wrong with it is added to them."""
    content = _content(findings)
    if content is None:
        return Specification()
    for key in content:
        if key not in KEYS:
            name = key if isinstance(key, str) else reprlib.repr(key)
            findings.add(name, f"unknown key{did_you_mean(name, KEYS)}", f"one of {', '.join(KEYS)}")
    if str(content.get("version")) != VERSION:
        findings.add("version", _problem(content, "version"), VERSION)
    return specification_of(content, findings)


def specification_of(content: Mapping[Any, Any], findings: Findings) -> Specification:
    """What a table says of a class and its arguments; other keys are not looked at."""
    return Specification(
        module=_name(content, "module", "the module of the class, such as dask_jobqueue", findings),
        class_name=_name(content, "class", "the name of the class, such as SLURMCluster", findings),
        args=_list(content, findings),
        kwargs=_arguments(_table(content, "kwargs", findings), findings),
        adaptive=_table(content, "adaptive", findings),
    )


def _content(findings: Findings) -> Mapping[Any, Any] | None:
    import yaml  # noqa: PLC0415 - comes with Dask, which is optional

    try:
        content = yaml.safe_load(findings.file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        findings.add("", f"cannot be read: {one_line(error)}", "a YAML file in UTF-8")
        return None
    if not isinstance(content, Mapping):
        problem = "is empty" if content is None else f"is {reprlib.repr(content)}"
        findings.add("", problem, f"a table with the keys {', '.join(KEYS)}")
        return None
    table: Mapping[Any, Any] = content
    return table


def _problem(content: Mapping[Any, Any], key: str) -> str:
    return f"is {reprlib.repr(content[key])}" if key in content else "is missing"


def _name(content: Mapping[Any, Any], key: str, allowed: str, findings: Findings) -> str:
    value = content.get(key)
    if isinstance(value, str) and value:
        return value
    findings.add(key, _problem(content, key), allowed)
    return ""


def _list(content: Mapping[Any, Any], findings: Findings) -> tuple[Any, ...]:
    value = content.get("args")
    if value is not None and not isinstance(value, list):
        findings.add("args", _problem(content, "args"), "a list")
        return ()
    return tuple(value or ())


def _table(content: Mapping[Any, Any], key: str, findings: Findings) -> dict[str, Any]:
    value = content.get(key)
    if value is not None and not isinstance(value, dict):
        findings.add(key, _problem(content, key), "a table")
        return {}
    table: Mapping[Any, Any] = value or {}
    for name in table:
        if not isinstance(name, str):
            findings.add(f"{key}.{reprlib.repr(name)}", "is no name", "text")
    return {name: entry for name, entry in table.items() if isinstance(name, str)}


def _arguments(table: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """Names as Python spells them: the format allows ``-`` for ``_``."""
    arguments: dict[str, Any] = {}
    for written, value in table.items():
        name = written.replace("-", "_")
        if name in arguments:
            findings.add(f"kwargs.{written}", "given twice", "one spelling of it")
        if name in OURS:
            findings.add(f"kwargs.{written}", "is for the service to say", "no such argument")
        else:
            arguments[name] = value
    return arguments
