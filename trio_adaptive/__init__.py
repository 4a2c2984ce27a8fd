"""Autoscaling of task clusters with structured concurrency, for Dask above all."""

from __future__ import annotations

from trio_adaptive.config import Settings, load_settings
from trio_adaptive.errors import (
    ClusterError,
    ConfigurationError,
    Mistake,
    ScalerStoppedError,
    TrioAdaptiveError,
)
from trio_adaptive.runtime.adaptive import Adaptive, adaptive
from trio_adaptive.runtime.history import Statistics

__all__ = [
    "Adaptive",
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
