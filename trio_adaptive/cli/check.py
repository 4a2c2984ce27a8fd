"""``trio-adaptive check``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from trio_adaptive.cli.exits import EXIT_USAGE
from trio_adaptive.cli.options import add_command
from trio_adaptive.cli.serving import check_installed
from trio_adaptive.errors import ConfigurationError, Mistake

EXAMPLES = """\
examples:
  trio-adaptive check service.toml
  trio-adaptive check cluster.yaml service.toml && systemctl reload trio-adaptive
"""


def add(commands: Any) -> None:
    """Add the command."""
    check = add_command(
        commands, "check", "tell every mistake in configuration files, and start nothing", EXAMPLES, execute
    )
    check.usage = "trio-adaptive check FILE [FILE ...]"
    check.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="TOML file of a service, or YAML file of a cluster",
    )


def execute(options: argparse.Namespace) -> int:
    """Check all files; 0 when nothing is wrong with any of them."""
    check_installed()
    mistakes: list[Mistake] = []
    for file in options.files:
        try:
            print(f"{file}: {_check(file)}")
        except ConfigurationError as error:
            mistakes += error.mistakes
    if not mistakes:
        return 0
    print(f"trio-adaptive: {ConfigurationError(mistakes)}", file=sys.stderr)
    return EXIT_USAGE


def _check(file: Path) -> str:
    """What a file without mistakes says, in a few words."""
    from trio_adaptive.service.config_file.check import check  # noqa: PLC0415 - slow to import

    return check(file)
