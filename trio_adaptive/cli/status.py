"""``trio-adaptive status``."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.exits import EXIT_CLUSTER
from trio_adaptive.cli.remote import Ask, add_remote, as_json, execute, show, where

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection

CLEAR = "\x1b[H\x1b[2J"
"""To the upper left corner of the terminal, and everything off it."""


def add(commands: Any) -> None:
    """Add the command."""
    examples = ["", "--watch", "--json | jq '.clusters[].target'", "--ready && ./submit.sh"]
    command = add_remote(commands, "status", "tell how a running service is doing", examples, _status)
    command.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")
    command.add_argument("--json", action="store_true", help="all that the service tells, for programs")
    command.add_argument(
        "--ready", action="store_true", help="exit code 3 where a cluster is not adapting, or not answering"
    )
    command.set_defaults(execute=_execute)


def _execute(options: argparse.Namespace) -> int:
    if options.watch:
        return _watch(options, _status)
    if not options.ready:
        return execute(options, _status)
    from trio_adaptive.service.client.connection import Connection  # noqa: PLC0415 - needs httpx

    with Connection(where(options)) as connection:
        show(_status(connection, options))
        wrong = connection.readiness()
    for name, trouble in wrong.items():
        print(f"trio-adaptive: {name} {trouble}", file=sys.stderr)
    return EXIT_CLUSTER if wrong else 0


def _watch(options: argparse.Namespace, ask: Ask) -> int:
    from trio_adaptive.service.client.connection import Connection  # noqa: PLC0415 - needs httpx

    clear = CLEAR if sys.stdout.isatty() and not options.json else ""
    with Connection(where(options)) as connection:
        while True:
            show(f"{clear}{ask(connection, options)}")
            time.sleep(1.0)


def _status(connection: Connection, options: argparse.Namespace) -> str:
    from trio_adaptive.service.client.connection import cluster_path  # noqa: PLC0415
    from trio_adaptive.service.client.words import clusters_in_words  # noqa: PLC0415

    if options.cluster is None:
        told = connection.get("/clusters")
    else:
        told = {"clusters": [connection.get(cluster_path(options.cluster))]}
    return as_json(told) if options.json else clusters_in_words(told["clusters"])
