"""Autoscaling of task clusters with structured concurrency, for Dask above all."""

from __future__ import annotations

import importlib
from types import ModuleType

from trio_adaptive.config import Settings, load_settings
from trio_adaptive.errors import (
    AlreadyDriven,
    ClusterError,
    ConfigurationError,
    Mistake,
    ScalerStoppedError,
    TrioAdaptiveError,
)
from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.runtime.block import adaptive
from trio_adaptive.runtime.history import Statistics

__all__ = [
    "Adaptive",
    "AlreadyDriven",
    "ClusterError",
    "ConfigurationError",
    "Mistake",
    "ScalerStoppedError",
    "Settings",
    "Statistics",
    "TrioAdaptiveError",
    "adaptive",
    "load_settings",
]


def __getattr__(name: str) -> ModuleType:
    # ``trio_adaptive.dask.Adaptive`` after nothing but ``import trio_adaptive``; only who asks for it pays for Dask.
    if name == "dask":
        return importlib.import_module("trio_adaptive.dask")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
