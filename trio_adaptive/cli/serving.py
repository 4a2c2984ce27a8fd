"""How a command that brings a cluster up is run."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.signals import fatal_interrupts

Command: TypeAlias = Callable[[], Awaitable[int]]
"""What is left to do when everything has been checked; its result is the exit code."""


def serve(options: argparse.Namespace, prepare: Callable[[argparse.Namespace, bool], Command]) -> int:
    """Check everything, then run; ``prepare`` is told whether to draw a status line."""
    live = not options.quiet and not options.plain and sys.stderr.isatty()
    with fatal_interrupts():
        check_installed()
        command = prepare(options, live)
    return trio.run(command)


def check_installed() -> None:
    """Whether what every cluster needs is there.

    Raises:
        ConfigurationError: it is not.
    """
    missing = [name for name in ("distributed", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake("environment", problem, "pip install 'trio-adaptive[dask]'")])
