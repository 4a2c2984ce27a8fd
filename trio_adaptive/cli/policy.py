"""``trio-adaptive policy``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.remote import add_remote, as_json, change, cluster_of

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection


def add(commands: Any) -> None:
    """Add the command."""
    command = add_remote(
        commands, "policy", "tell or change how the size of a cluster is found", ["", "adaptive"], _policy
    )
    command.add_argument(
        "name", nargs="?", help="the one to use from now on: demand, dask, adaptive, count, fixed:N, ..."
    )


def _policy(connection: Connection, options: argparse.Namespace) -> str:
    from trio_adaptive.service.client.connection import cluster_path  # noqa: PLC0415 - needs httpx

    if options.name is not None:
        return change("PUT", "/policy", lambda asked: {"name": asked.name})(connection, options)
    return as_json(connection.get(cluster_path(cluster_of(connection, options), "/policy")))
