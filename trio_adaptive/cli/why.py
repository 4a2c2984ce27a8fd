"""``trio-adaptive why``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from trio_adaptive.cli.exits import EXIT_CODES

SUMMARY = "tell what an autoscaler has decided, and why"


def add(commands: Any) -> None:
    """Add the command."""
    from trio_adaptive.service.why import EXAMPLES, add_arguments  # noqa: PLC0415 - see below

    command = commands.add_parser(
        "why",
        help=SUMMARY,
        description=f"{SUMMARY[0].upper()}{SUMMARY[1:]}: from the journal that it has kept.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(command)
    command.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from trio_adaptive.service.why import why  # noqa: PLC0415 - for this command only

    text = why(options)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads it has seen enough, as head(1) has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
