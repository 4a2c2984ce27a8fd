"""The options of `up` for control over HTTP, and what they and the configuration file make of it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import TYPE_CHECKING

from attrs import evolve

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.listen import DEFAULT_ADDRESS, Address, Listen, check_listen, parse_address

if TYPE_CHECKING:
    from trio_adaptive.service.config_file.reading import Configuration
    from trio_adaptive.service.up import Web


def add_web_options(command: argparse.ArgumentParser) -> None:
    """Add them to the command."""
    control = command.add_argument_group("control over HTTP")
    control.add_argument(
        "--listen",
        type=_address,
        metavar="HOST:PORT",
        help=f"answer there (default {DEFAULT_ADDRESS}, or another port when that is taken)",
    )
    control.add_argument("--no-listen", action="store_true", help="answer nowhere")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def web_of(options: argparse.Namespace, configuration: Configuration) -> Web | None:
    """The HTTP API; none where it is not installed and nobody has asked for it.

    Raises:
        ConfigurationError: it has been asked for and cannot be had.
    """
    listen = configuration.service.listen
    if options.listen is not None:
        listen = Listen(options.listen, may_move=False)
    if options.no_listen or listen is None:
        return None
    try:
        return _web(listen)
    except ConfigurationError as error:
        if options.listen is not None or configuration.file is None:
            raise
        raise ConfigurationError(
            [evolve(each, path=_of_file(each, configuration)) for each in error.mistakes]
        ) from error


def _of_file(mistake: Mistake, configuration: Configuration) -> str:
    key = mistake.path.removeprefix("--").replace("-", "_")
    return f"{configuration.file}: service.{key}" if mistake.path.startswith("--") else mistake.path


def _web(listen: Listen) -> Web | None:
    missing = [name for name in ("starlette", "hypercorn") if importlib.util.find_spec(name) is None]
    if missing and not listen.may_move:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake("--listen", problem, "pip install 'trio-adaptive[service]'")])
    if missing:
        print("No HTTP: pip install 'trio-adaptive[service]' brings it", file=sys.stderr)
        return None
    check_listen(listen)
    from trio_adaptive.service.http.web import web  # noqa: PLC0415 - for this command only

    return web(listen)
