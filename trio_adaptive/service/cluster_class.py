"""The class that a specification names: found, and asked whether it can be scaled and takes these arguments.

All of this comes before anything is started: importing a module is all that is done.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any

from trio_adaptive.service.specification import OURS, Findings, Specification, did_you_mean, one_line

BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
ANY_NUMBER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def find_class(specification: Specification, findings: Findings) -> type[Any] | None:
    """The class by its names; None when it is none that can be adapted, and the findings say why."""
    if not specification.module:
        return None
    module = _imported(specification.module, findings)
    if module is None or not specification.class_name:
        return None
    found = getattr(module, specification.class_name, None)
    scalable = _scalable_classes(module)
    allowed = f"one of {', '.join(scalable)}" if scalable else "a class with scale(n)"
    if found is None:
        near = did_you_mean(specification.class_name, scalable)
        findings.add("class", f"{module.__name__} has no {specification.class_name}{near}", allowed)
    elif not isinstance(found, type):
        findings.add("class", f"{specification.class_name} is a {type(found).__name__}, not a class", allowed)
    elif lack := _lack(found):
        findings.add("class", f"{specification.class_name} {lack}", allowed)
    else:
        return found
    return None


def _imported(name: str, findings: Findings) -> ModuleType | None:
    here = str(Path.cwd())
    if (
        here not in sys.path
    ):  # for a class of the user's own; last, so that it hides nothing that is installed
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - importing runs anybody's code
        top = name.partition(".")[0]
        unknown = isinstance(error, ModuleNotFoundError) and error.name == top
        near = did_you_mean(top, packages_distributions()) if unknown else ""
        problem = f"{name} cannot be imported: {type(error).__name__}: {one_line(error)}{near}"
        findings.add("module", problem, "a module that is installed here, or lies in the current folder")
        return None


def _scalable_classes(module: ModuleType) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and not name.startswith("_") and not _lack(value)
    )


def _lack(cls: type[Any]) -> str:
    """Why objects of a class cannot be adapted; empty when they can."""
    from distributed.deploy.cluster import Cluster  # noqa: PLC0415 - slow to import

    if not callable(getattr(cls, "scale", None)):
        return "has no scale(n)"
    if issubclass(cls, Cluster):
        scales = cls.scale is not Cluster.scale and getattr(cls, "_supports_scaling", True) is not False
        return "" if scales else "cannot scale"
    return "" if callable(getattr(cls, "target", None)) else "has scale(n), but no target()"


def check_arguments(cls: type[Any], specification: Specification, findings: Findings) -> dict[str, Any]:
    """Hold the arguments against the signature of the class; what does not fit is added to the findings.

    Returns:
        The arguments by name, with those of our own that let it begin without workers.
    """
    args, kwargs = specification.args, dict(specification.kwargs)
    try:
        parameters = dict(inspect.signature(cls).parameters)
    except (TypeError, ValueError):  # a class that does not tell, such as one in C
        return kwargs
    _check_names(cls, parameters, kwargs, findings)
    taken = _check_positions(parameters, args, kwargs, findings)
    missing = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is Parameter.empty and parameter.kind not in ANY_NUMBER
        if parameter.name not in taken and parameter.name not in kwargs
    ]
    if missing:
        findings.add("kwargs", f"without {', '.join(missing)}", "a value for each")
    if "n_workers" in _known(cls) and "n_workers" not in taken:
        kwargs.setdefault("n_workers", 0)
    return kwargs


def _check_names(
    cls: type[Any], parameters: Mapping[str, Parameter], kwargs: Mapping[str, Any], findings: Findings
) -> None:
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return  # what it passes on to others, they have to judge
    names = [name for name, parameter in parameters.items() if parameter.kind in BY_NAME]
    for name in kwargs:
        if name not in names:
            problem = f"{cls.__name__} takes no such argument{did_you_mean(name, names)}"
            allowed = [name for name in names if name not in OURS]
            findings.add(f"kwargs.{name}", problem, f"one of {', '.join(allowed)}" if allowed else "none")


def _check_positions(
    parameters: Mapping[str, Parameter], args: tuple[Any, ...], kwargs: Mapping[str, Any], findings: Findings
) -> list[str]:
    """The names of those that are given by position."""
    places = [name for name, parameter in parameters.items() if parameter.kind in BY_POSITION]
    endless = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values())
    if len(args) > len(places) and not endless:
        findings.add("args", f"{len(args)} are given", f"at most {len(places)}")
    taken = places[: len(args)]
    for name in taken:
        if name in kwargs:
            findings.add(f"kwargs.{name}", "given twice, also in args", "one of them")
    return taken


def _known(cls: type[Any]) -> set[str]:
    """All names that a class is known to take: its own, and those of the classes that it passes the rest on to."""
    names: set[str] = set()
    for base in cls.__mro__[:-1]:
        constructor = vars(base).get("__init__")
        if constructor is None:
            continue
        parameters = inspect.signature(constructor).parameters.values()
        names.update(parameter.name for parameter in parameters if parameter.kind in BY_NAME)
        if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return names
