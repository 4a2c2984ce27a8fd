"""What all commands to a running service have in common: which service, which cluster, and what is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from trio_adaptive.cli.options import add_command
from trio_adaptive.errors import ConfigurationError, Mistake

if TYPE_CHECKING:
    from trio_adaptive.service.client.connection import Connection, Where

URL: Final = "TRIO_ADAPTIVE_URL"
TOKEN: Final = "TRIO_ADAPTIVE_TOKEN"  # noqa: S105 - the name of a variable

Ask: TypeAlias = Callable[["Connection", argparse.Namespace], str]
"""Asks the service; gives what is to be printed."""


def add_remote(
    commands: Any, name: str, summary: str, examples: Sequence[str], ask: Ask
) -> argparse.ArgumentParser:
    """Add a command that asks a running service."""
    lines = "\n".join(f"  trio-adaptive {name} {example}".rstrip() for example in examples)
    command = add_command(
        commands, name, summary, f"examples:\n{lines}\n", lambda options: execute(options, ask)
    )
    add_where(command)
    return command


def add_where(command: argparse.ArgumentParser) -> None:
    """Add the options that say which service, and who asks."""
    which = command.add_argument_group("which service")
    which.add_argument("--url", help=f"where it answers (default: ${URL}, or the one on this machine)")
    which.add_argument(
        "--service", metavar="NAME", help="which of several on this machine: its name, or process id"
    )
    which.add_argument("--cluster", metavar="NAME", help="which of its clusters (default: the only one)")
    secret = command.add_argument_group("who asks")
    secret.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"the file with our token (default: ${TOKEN} has the token)",
    )
    secret.add_argument(
        "--ca", type=Path, metavar="FILE", help="authority of the server's certificate, in PEM"
    )
    secret.add_argument("--cert", type=Path, metavar="FILE", help="our certificate, in PEM")
    secret.add_argument("--key", type=Path, metavar="FILE", help="its key, where that is in another file")


def execute(options: argparse.Namespace, ask: Ask) -> int:
    """Ask, and print the answer."""
    place = where(options)
    from trio_adaptive.service.client.connection import Connection  # noqa: PLC0415 - needs httpx

    with Connection(place) as connection:
        text = ask(connection, options)
    return show(text)


def show(text: str) -> int:
    """Print it; returns the exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads it has seen enough, as head(1) has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def where(options: argparse.Namespace) -> Where:
    """Which service, and who asks.

    Raises:
        ConfigurationError: the token cannot be read, or what is needed is not installed.
    """
    try:
        from trio_adaptive.service.client.connection import Where  # noqa: PLC0415
    except ImportError as error:
        allowed = "pip install 'trio-adaptive[service]'"
        raise ConfigurationError([Mistake("environment", f"not installed: {error.name}", allowed)]) from error

    return Where(
        url=options.url or ("" if options.service else os.environ.get(URL, "")),
        service=options.service or "",
        token=_token(options.token_file),
        ca=options.ca,
        cert=options.cert,
        key=options.key,
    )


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        token = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError([Mistake("--token-file", str(error), "a file with one token")]) from error
    if not token or len(token.split()) > 1:
        raise ConfigurationError([Mistake("--token-file", f"{file} has no token", "a file with one token")])
    return token


def cluster_of(connection: Connection, options: argparse.Namespace) -> str:
    """The name of the cluster that is meant.

    Raises:
        ConfigurationError: there are several, and none is named.
    """
    if options.cluster is not None:
        return str(options.cluster)
    names = [str(status["name"]) for status in connection.get("/clusters")["clusters"]]
    if len(names) != 1:
        problem = f"is needed, since there are {len(names)} clusters" if names else "no cluster is up"
        raise ConfigurationError([Mistake("--cluster", problem, ", ".join(names) or "one that is up")])
    return names[0]


def change(method: str, rest: str, body: Callable[[argparse.Namespace], object]) -> Ask:
    """A command that changes one cluster, and tells how it is then."""

    def ask(connection: Connection, options: argparse.Namespace) -> str:
        from trio_adaptive.service.client.connection import cluster_path  # noqa: PLC0415
        from trio_adaptive.service.client.words import clusters_in_words  # noqa: PLC0415

        path = cluster_path(cluster_of(connection, options), rest)
        status = connection.ask(method, path, body(options))
        return clusters_in_words([status])

    return ask


def as_json(value: object) -> str:
    """For programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)
