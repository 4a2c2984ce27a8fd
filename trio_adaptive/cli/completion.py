"""``trio-adaptive completion``: what a shell needs to complete the command line."""

from __future__ import annotations

import argparse
from typing import Any

from trio_adaptive.cli.options import add_command
from trio_adaptive.errors import ConfigurationError, Mistake

EXAMPLES = """\
examples:
  trio-adaptive completion bash > ~/.local/share/bash-completion/completions/trio-adaptive
  trio-adaptive completion zsh > ~/.zfunc/_trio-adaptive
"""


def add(commands: Any) -> None:
    """Add the command."""
    command = add_command(
        commands, "completion", "print what a shell needs to complete our commands", EXAMPLES, _execute
    )
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="which shell")


def _execute(options: argparse.Namespace) -> int:
    try:
        import shtab  # noqa: PLC0415 - for this command only
    except ImportError as error:
        allowed = "pip install 'trio-adaptive[service]'"
        raise ConfigurationError([Mistake("environment", "not installed: shtab", allowed)]) from error
    from trio_adaptive.cli.program import parser  # noqa: PLC0415 - which has this command in it

    print(shtab.complete(parser(), shell=options.shell))
    return 0
