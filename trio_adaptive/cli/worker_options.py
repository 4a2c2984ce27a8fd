"""The command line's options for worker processes on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from trio_adaptive.clusters.template import PLACEHOLDERS


def add_worker_options(command: argparse.ArgumentParser) -> None:
    """Add them to a command."""
    workers = command.add_argument_group("workers")
    workers.add_argument("--nthreads", type=_threads, help="threads of a worker (default 1)")
    places = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    workers.add_argument(
        "--worker-command", metavar="TEMPLATE", help=f"command that starts one worker, with {places} in it"
    )
    workers.add_argument(
        "--preload",
        type=_modules,
        metavar="MODULES",
        help="imported once, for all workers, which are forked from there; such as numpy,pandas,my_module",
    )
    workers.add_argument(
        "--cold", action="store_true", help="start each worker anew instead, which takes ten times as long"
    )
    workers.add_argument(
        "--worker-logs", type=Path, metavar="FOLDER", help="write the output of each worker into a file there"
    )


def _threads(text: str) -> int:
    return whole_number(text, 1, 1024)


def whole_number(text: str, least: int, most: int) -> int:
    """A number from the command line, within bounds."""
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def _modules(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of modules, such as numpy,pandas.io")
    return names
