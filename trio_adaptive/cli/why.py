"""``trio-adaptive why``: of a journal, or of a running service."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.exits import EXIT_CODES
from trio_adaptive.cli.remote import add_where, cluster_of, show
from trio_adaptive.cli.remote import execute as ask_service

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection

SUMMARY = "tell what an autoscaler has decided, and why"


def add(commands: Any) -> None:
    """Add the command."""
    from trio_adaptive.service.why import EXAMPLES, add_arguments  # noqa: PLC0415 - for this command only

    command = commands.add_parser(
        "why",
        help=SUMMARY,
        description=f"{SUMMARY[0].upper()}{SUMMARY[1:]}: from the journal that it has kept, or asking a running service.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(command)
    add_where(command)
    command.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from trio_adaptive.service.why import journal_of, why  # noqa: PLC0415 - for this command only

    asked = any(getattr(options, name) is not None for name in ("url", "service", "cluster"))
    if asked or (journal := journal_of(options)) is None:
        return ask_service(options, _ask)
    return show(why(journal, options))


def _ask(connection: Connection, options: argparse.Namespace) -> str:
    from trio_adaptive.service.client.connection import cluster_path  # noqa: PLC0415 - needs httpx

    path = cluster_path(cluster_of(connection, options), "/why")
    told = connection.get(path, last=options.last, at=options.at, worker=options.worker)
    return str(told["text"]) or "nothing has been done yet"
