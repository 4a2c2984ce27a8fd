"""Options that several commands have, and what becomes of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from trio_adaptive.cli.exits import EXIT_CODES
from trio_adaptive.cli.worker_options import add_worker_options
from trio_adaptive.forms import number_or_text
from trio_adaptive.service.config_file.given import Given, option

__all__ = ["SCALER_OPTIONS", "WORKER_OPTIONS", "add_command", "add_scaling", "given", "option"]

SCALER_OPTIONS: Final[dict[str, str]] = {
    "minimum": "never fewer workers than this (default 0)",
    "maximum": "never more workers than this (default: the processors of this machine)",
    "interval": "time between two looks when nothing happens, such as 500ms (default 100ms where workers are forked for"
    " a scheduler of our own, 1s elsewhere)",
    "wait-count": "looks in a row that must find a worker superfluous before it goes (default 3)",
    "idle-timeout": 'how long a worker must have been superfluous before it goes, or "auto" (default)',
    "target-duration": "how long the work at hand should take; less means more workers (default 5s)",
    "policy": "how the size is found: demand (default), dask, adaptive, count, fixed:N or module:Class",
    "shadow": "policies that only advise, such as dask,adaptive: the status line tells what they would have done",
}

WORKER_OPTIONS: Final = (
    "scheduler",
    "port",
    "nthreads",
    "worker_command",
    "worker_logs",
    "cold",
    "preload",
    "dashboard_address",
    "record",
)
"""What is said of a cluster of this project's own. Their defaults are none, to tell what has been given."""


def add_command(
    commands: Any, name: str, summary: str, examples: str, execute: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add a command: what it does in half a sentence, examples below its options, and what runs it."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{examples}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(execute=execute)
    return command


def add_scaling(command: argparse.ArgumentParser, config: str) -> None:
    """Add the options of the scaler, of its workers, and of what is shown; ``config`` says what is read of a file."""
    scaling = command.add_argument_group("scaling")
    for spelled, meaning in SCALER_OPTIONS.items():
        name = spelled.rsplit("-", 1)[-1].upper()
        scaling.add_argument(f"--{spelled}", type=number_or_text, metavar=name, help=meaning)
    scaling.add_argument("-c", "--config", type=Path, metavar="FILE", help=config)
    add_worker_options(command)
    _add_display_options(command)


def _add_display_options(command: argparse.ArgumentParser) -> None:
    display = command.add_argument_group("display")
    display.add_argument(
        "--dashboard-address",
        metavar="HOST:PORT",
        help="of Dask's dashboard (default: any port)",
    )
    display.add_argument(
        "--journal", metavar="FILE", help="write every decision there, for trio-adaptive why (default: none)"
    )
    display.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write every task there, as a workload for trio-adaptive simulate",
    )
    display.add_argument("--no-dashboard", action="store_true", help="without Dask's dashboard")
    display.add_argument("--plain", action="store_true", help="log lines instead of a live status line")
    display.add_argument(
        "-q", "--quiet", action="store_true", help="only warnings; no status line, no report"
    )
    display.add_argument("-v", "--verbose", action="store_true", help="log every decision")


def given(options: argparse.Namespace) -> Given:
    """What has been said of the scaler and of the workers."""
    workers = {name: getattr(options, name, None) for name in WORKER_OPTIONS}
    workers = {name: value for name, value in workers.items() if value is not None and value is not False}
    if options.no_dashboard:
        workers["dashboard_address"] = None
    return Given(_chosen(options), workers)


def _chosen(options: argparse.Namespace) -> dict[str, object]:
    """The scaler's options that have been given, by their names in `Settings`."""
    found = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in SCALER_OPTIONS}
    if getattr(options, "take_over", False):
        found["take_over"] = True
    found["journal"] = options.journal
    found["name"] = getattr(options, "name", None)
    return {name: value for name, value in found.items() if value is not None}
