"""Bounds that a user gives in cores and memory, made into workers, and held against the units of a cluster."""

from __future__ import annotations

import math
from typing import Any

from attrs import evolve

from trio_adaptive.clusters.shape import Shape, shape_of
from trio_adaptive.config import Settings
from trio_adaptive.decision.state import units_for
from trio_adaptive.errors import ConfigurationError, Mistake

RESOURCES = {"cores": "cores", "memory": "bytes of memory"}
"""What a unit has, by its name in the options and in a `Shape`; and its name in messages."""


def in_workers(settings: Settings, cluster: Any) -> Settings:
    """The settings with ``minimum`` and ``maximum`` as the tightest of all bounds that were given.

    Raises:
        ConfigurationError: the cluster does not say what a unit has, or no whole unit meets the bounds.
    """
    shape = shape_of(cluster)
    mistakes: list[Mistake] = []
    for resource, words in RESOURCES.items():
        settings = _tightened(settings, shape, resource, words, mistakes)
    if mistakes:
        raise ConfigurationError(mistakes)
    _check_units(settings, shape)
    return settings


def _tightened(
    settings: Settings, shape: Shape, resource: str, words: str, mistakes: list[Mistake]
) -> Settings:
    low, high = f"minimum_{resource}", f"maximum_{resource}"
    least, most = getattr(settings, low), getattr(settings, high)
    if least is None and most is None:
        return settings
    each, size = getattr(shape, resource), shape.unit_size or 1
    if not each:
        allowed = "minimum and maximum in workers, or a cluster that knows what each of its workers has"
        given = low if most is None else high
        mistakes.append(
            Mistake(given, f"given, but the cluster does not say how many {words} a worker has", allowed)
        )
        return settings
    if most is not None and most < each:
        one = "worker" if size == 1 else f"unit of {size} workers"
        mistakes.append(Mistake(high, f"is {most}, less than one {one}", f"at least {each:g} {words}"))
        return settings
    minimum = settings.minimum if least is None else max(settings.minimum, math.ceil(least / each) * size)
    maximum = settings.maximum if most is None else min(settings.maximum, most // each * size)
    return evolve(settings, minimum=minimum, maximum=maximum)


def _check_units(settings: Settings, shape: Shape) -> None:
    size = shape.unit_size or 1
    if settings.maximum == math.inf or units_for(settings.minimum, size) <= settings.maximum // size:
        return
    bounds = f"{settings.minimum} to {settings.maximum:g} workers"
    unit = "" if size == 1 else f", and workers come {size} at a time"
    allowed = f"bounds with a multiple of {size} between them" if size > 1 else "minimum at most maximum"
    raise ConfigurationError([Mistake("minimum, maximum", f"are {bounds}{unit}", allowed)])
