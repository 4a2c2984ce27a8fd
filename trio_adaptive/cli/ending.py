"""``trio-adaptive stop`` and ``reload``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.remote import add_remote, change

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection


def add(commands: Any) -> None:
    """Add both commands."""
    stop = add_remote(
        commands,
        "stop",
        "end a service, or the adapting of one cluster",
        ["", "--cluster blue --reason 'moved to another machine'"],
        _stop,
    )
    stop.add_argument("--reason", default="", help="goes into the records and the journal")
    add_remote(commands, "reload", "let a service read its configuration file again", [""], _reload)


def _stop(connection: Connection, options: argparse.Namespace) -> str:
    body = {"reason": options.reason}
    if options.cluster is not None:
        return change("POST", "/stop", lambda _: body)(connection, options)
    connection.ask("POST", "/stop", body)
    return f"{connection.url} ends"


def _reload(connection: Connection, _: argparse.Namespace) -> str:
    done = connection.ask("POST", "/reload", {})
    applied = ", ".join(done["applied"]) or "nothing is new that can be applied"
    lines = [f"applied: {applied}"]
    if done["needs_restart"]:
        lines.append(f"only after a restart: {', '.join(done['needs_restart'])}")
    return "\n".join(lines)
