"""Checking a file without starting anything: that of a service, or that of a cluster."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from trio_adaptive.config import Settings
from trio_adaptive.service.cluster_file import load_plan
from trio_adaptive.service.config_file.reading import Configuration, read_configuration

YAML: Final = (".yaml", ".yml")


def check(file: Path) -> str:
    """What the file says, in a few words.

    Raises:
        ConfigurationError: naming all that is wrong with it.
    """
    if file.suffix.lower() in YAML:
        return f"right: {_bounds(load_plan(file, {}).settings)}"
    return f"right: {in_words(read_configuration(file))}"


def in_words(configuration: Configuration) -> str:
    """Its clusters with their bounds, and what they share."""
    clusters = configuration.clusters.values()
    words = ", ".join(f"{each.name} with {_bounds(each.settings)}" for each in clusters)
    maximum = configuration.service.maximum
    return words if math.isinf(maximum) else f"{words}; {maximum:g} workers at most in all of them"


def _bounds(settings: Settings) -> str:
    return f"{settings.minimum} to {settings.maximum:g} workers"
