"""From a cluster file and the command line to a plan, or to one error that names every mistake in both."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from attrs import evolve

from trio_adaptive.config import Settings, Source, load_settings
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.cluster_class import check_arguments, find_class
from trio_adaptive.service.foreign_cluster import Blueprint, ForeignPlan
from trio_adaptive.service.specification import Findings, Specification, read_specification

Load: TypeAlias = Callable[[Mapping[str, object]], Settings]
"""Gives the settings with these options, which win over what has been said elsewhere."""


def load_plan(
    file: Path,
    chosen: Mapping[str, object],
    *,
    config: Path | None = None,
    misplaced: Sequence[str] = (),
    tables: Sequence[Source] = (),
) -> ForeignPlan:
    """Read a cluster file, find its class, and check all of it; starts nothing.

    Args:
        file: the specification, in YAML.
        chosen: options of the scaler from the command line; they win over the file's.
        config: a TOML file with options; the cluster file wins over it.
        misplaced: options on the command line that have no meaning beside a cluster file.
        tables: more options, of a configuration file that has been read; the cluster file wins over them as well.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    findings = Findings(file)
    specification = read_specification(findings)
    return plan_of(specification, findings, chosen, config=config, misplaced=misplaced, tables=tables)


def plan_of(
    specification: Specification,
    findings: Findings,
    chosen: Mapping[str, object],
    *,
    config: Path | None = None,
    misplaced: Sequence[str] = (),
    tables: Sequence[Source] = (),
) -> ForeignPlan:
    """The plan for what has been read; see `load_plan`.

    Raises:
        ConfigurationError: naming all that is wrong, the findings up to now included.
    """
    cls = find_class(specification, findings)
    kwargs = {} if cls is None else check_arguments(cls, specification, findings)
    options = _options(specification, chosen)
    load = partial(load_settings, file=config, tables=tables)
    settings = _settings(load, options, options.keys() - chosen.keys(), findings)
    if cls is not None and _is_unbounded(load, options):
        settings = _bounded(cls, settings, findings)
    allowed = "the cluster's own words for it, in kwargs"
    findings.mistakes += [
        Mistake(name, f"makes no sense with {findings.file}", allowed) for name in misplaced
    ]
    if findings.mistakes or cls is None:
        raise ConfigurationError(findings.mistakes)
    return ForeignPlan(settings, Blueprint(cls, specification.args, kwargs))


def _options(specification: Specification, chosen: Mapping[str, object]) -> dict[str, object]:
    """The options of both; the command line wins, also over another spelling."""
    table = specification.adaptive.items()
    return {**{name: value for name, value in table if name.replace("-", "_") not in chosen}, **chosen}


def _settings(
    load: Load, options: Mapping[str, object], of_file: Collection[str], findings: Findings
) -> Settings:
    """The settings; where there are mistakes, which are added to the findings, the defaults stand in."""
    try:
        return load(options)
    except ConfigurationError as error:
        for mistake in error.mistakes:
            if mistake.path in of_file:
                findings.add(f"adaptive.{mistake.path}", mistake.problem, mistake.allowed)
            else:
                findings.mistakes.append(mistake)
        return Settings()


def _bounded(cls: type[Any], settings: Settings, findings: Findings) -> Settings:
    """An upper bound: this machine's processors for what lives on them, else the user's to say."""
    from distributed import LocalCluster  # noqa: PLC0415 - slow to import

    if issubclass(cls, LocalCluster):
        return evolve(settings, maximum=max(os.cpu_count() or 1, settings.minimum))
    allowed = f"how many workers this {cls.__name__} may have at most, here or as --maximum"
    findings.add("adaptive.maximum", "is not given", allowed)
    return settings


def _is_unbounded(load: Load, options: Mapping[str, object]) -> bool:
    # Asked by itself, so that it is told beside the mistakes in other options.
    bounds = {name: value for name, value in options.items() if name.startswith("maximum")}
    try:
        alone = load(bounds)
    except ConfigurationError:
        return False  # has been told
    return math.isinf(alone.maximum) and alone.maximum_cores is None and alone.maximum_memory is None
