"""The program: its commands, and what becomes of an error that leaves one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from trio_adaptive.cli import check, completion, ending, pause, policy, run, sizes, status, up, why
from trio_adaptive.cli.exits import EXIT_CODES, EXIT_INTERRUPTED, EXIT_USAGE, code_of_answer, exit_code
from trio_adaptive.errors import ClusterError, ConfigurationError, ServiceError, leaves
from trio_adaptive.simulation.command import add_simulate, run_simulate
from trio_adaptive.simulation.replay.command import add_replay, run_replay

COMMANDS: Final = (run, up, status, why, pause, sizes, policy, ending, check, completion)
"""Each adds parsers, whose default ``execute`` takes the options and returns the exit code."""

OFFLINE: Final = (("simulate", add_simulate, run_simulate), ("replay", add_replay, run_replay))
"""Those that need no cluster, by the name that each gives itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.execute(options)
    except ConfigurationError as error:
        print(f"trio-adaptive: {error}", file=sys.stderr)
        return EXIT_USAGE
    except ServiceError as error:
        print(f"trio-adaptive: {error}", file=sys.stderr)
        return code_of_answer(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        return _failed(group)
    return code


def _failed(group: BaseExceptionGroup[Any]) -> int:
    expected, bugs = group.split((ClusterError, ConfigurationError))
    if bugs is not None or expected is None:
        raise group
    errors = leaves(expected)
    for error in errors:
        print(f"trio-adaptive: {error}", file=sys.stderr)
    return exit_code(errors)


def parser() -> argparse.ArgumentParser:
    """Of the whole command line."""
    made = argparse.ArgumentParser(
        prog="trio-adaptive",
        description="Elastic Dask clusters: workers come with the work and go without harm.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"trio-adaptive {version('trio-adaptive')}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    for name, add, execute in OFFLINE:
        add(commands)
        commands.choices[name].set_defaults(execute=execute)
    return made
