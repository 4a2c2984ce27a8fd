"""Checking what is passed to a command, before it becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from trio_adaptive.clusters import check_scalable, check_sendable
from trio_adaptive.config import Settings, load_settings
from trio_adaptive.decision.model import Direction
from trio_adaptive.durations import FORMS, parse_duration
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.runtime.bounds import in_workers


def checked(
    cluster: object,
    settings: Settings | None,
    options: Mapping[str, object],
    *,
    needs_target: bool,
    must_grow: bool = True,
) -> Settings:
    """The settings for a cluster, from either of the two ways in which they can be given.

    Raises:
        ConfigurationError: all mistakes, in the options and in the choice of the cluster.
    """
    mistakes: list[Mistake] = []
    given: Settings | None = None
    try:
        check_scalable(cluster, needs_target=needs_target, must_grow=must_grow)
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        given = _given_settings(settings, options)
        check_sendable(cluster, given.worker_key)
    except ConfigurationError as error:
        mistakes += error.mistakes
    if mistakes or given is None:
        raise ConfigurationError(mistakes)
    return in_workers(given, cluster)


def _given_settings(settings: Settings | None, options: Mapping[str, object]) -> Settings:
    if settings is None:
        return load_settings(options)
    if options:
        allowed = "either settings or single options"
        raise ConfigurationError([Mistake("settings", f"given beside {', '.join(options)}", allowed)])
    return settings


def number_of_workers(given: Any) -> int:
    """A whole number of workers, 0 or more."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ConfigurationError([Mistake("n", f"is {given!r}", "a whole number, at least 0")])
    return given


def how_long(given: Any) -> float:
    """A duration in seconds, above 0."""
    try:
        seconds = parse_duration(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigurationError([Mistake("for_", f"is {given!r}", f"a duration above 0 ({FORMS})")])
    return seconds


def one_direction(given: str) -> Direction:
    """One of the directions that can be paused."""
    for direction in get_args(Direction):
        if direction == given:
            return direction  # type: ignore[no-any-return]
    allowed = " or ".join(repr(direction) for direction in get_args(Direction))
    raise ConfigurationError([Mistake("direction", f"is {given!r}", allowed)])


def limits(bounds: tuple[int, float], minimum: int | None, maximum: float | None) -> tuple[int, float]:
    """The bounds after a change; None leaves one as it is."""
    settings = load_settings(
        {
            "minimum": bounds[0] if minimum is None else minimum,
            "maximum": bounds[1] if maximum is None else maximum,
        }
    )
    return settings.minimum, settings.maximum
