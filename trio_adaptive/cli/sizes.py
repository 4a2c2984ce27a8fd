"""``trio-adaptive hold``, ``request`` and ``limits``: how many workers there are to be."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.remote import add_remote, as_json, change, cluster_of
from trio_adaptive.cli.worker_options import whole_number

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection

MOST = 10**9
RELEASE = "release"


def add(commands: Any) -> None:
    """Add the commands."""
    hold = add_remote(
        commands,
        "hold",
        "hold a cluster at a size, whatever the load",
        ["5 --for '10 min'", "release"],
        _hold,
    )
    hold.add_argument("n", type=_size_or_release, metavar="N", help=f"how many workers; {RELEASE!r} lets go")
    request = add_remote(
        commands,
        "request",
        "have at least so many workers for a while",
        ["20 --for '5 min'"],
        change("POST", "/requests", lambda options: {"n": options.n, "for": options.for_}),
    )
    request.add_argument("n", type=_size, metavar="N", help="how many workers")
    for command in (hold, request):
        command.add_argument(
            "--for", dest="for_", metavar="DURATION", help="for how long (default: for good)"
        )
    limits = add_remote(
        commands,
        "limits",
        "tell or change the bounds of a cluster",
        ["", "--minimum 2 --maximum 40"],
        _limits,
    )
    limits.add_argument("--minimum", type=_size, metavar="N", help="never fewer workers than this")
    limits.add_argument(
        "--maximum", type=_maximum, metavar="N", help='never more than this; "inf" for any number'
    )


def _size(text: str) -> int:
    return whole_number(text, 0, MOST)


def _size_or_release(text: str) -> int | str:
    return text if text == RELEASE else _size(text)


def _maximum(text: str) -> int | str:
    return text if text == "inf" else _size(text)


def _hold(connection: Connection, options: argparse.Namespace) -> str:
    if options.n == RELEASE:
        return change("DELETE", "/hold", lambda _: None)(connection, options)
    return change("PUT", "/hold", lambda asked: {"n": asked.n, "for": asked.for_})(connection, options)


def _limits(connection: Connection, options: argparse.Namespace) -> str:
    from trio_adaptive.service.client.connection import cluster_path  # noqa: PLC0415 - needs httpx

    given = {name: getattr(options, name) for name in ("minimum", "maximum")}
    body = {name: None if value == "inf" else value for name, value in given.items() if value is not None}
    if body:
        return change("PATCH", "/limits", lambda _: body)(connection, options)
    return as_json(connection.get(cluster_path(cluster_of(connection, options), "/limits")))
