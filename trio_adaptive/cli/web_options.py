"""The options of `up` for control over HTTP, and what they and the configuration file make of it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.listen import DEFAULT_ADDRESS, Address, Listen, parse_address

if TYPE_CHECKING:
    from trio_adaptive.service.config_file.reading import Configuration
    from trio_adaptive.service.up import Web


FILES = {
    "tls-cert": "certificate of the service, in PEM; beyond this machine it does not listen without",
    "tls-key": "its key",
    "tls-client-ca": "authorities whose client certificates are let in",
    "tokens": "TOML file of bearer tokens and roles; read again when it changes, as the certificates are",
}
"""Options that name a file, and what it is; the configuration file has the same."""

NEEDED = ("starlette", "hypercorn")


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
    for option, meaning in FILES.items():
        control.add_argument(f"--{option}", type=Path, metavar="FILE", help=meaning)


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
    asked = [f"--{name}" for name in ("listen", *FILES) if getattr(options, _key(name)) is not None]
    files = {
        _key(name): getattr(options, _key(name)) or getattr(configuration.service, _key(name))
        for name in FILES
    }
    listen = evolve(
        listen,
        cert=files["tls_cert"],
        key=files["tls_key"],
        client_ca=files["tls_client_ca"],
        tokens=files["tokens"],
    )
    try:
        return _web(listen, wanted=bool(asked) or not listen.may_move or any(files.values()))
    except ConfigurationError as error:
        if asked or configuration.file is None:
            raise
        raise ConfigurationError(
            [evolve(each, path=_of_file(each, configuration)) for each in error.mistakes]
        ) from error


def _key(option: str) -> str:
    return option.replace("-", "_")


def _of_file(mistake: Mistake, configuration: Configuration) -> str:
    keys = ", ".join(_key(option.removeprefix("--")) for option in mistake.path.split(", "))
    return f"{configuration.file}: service.{keys}" if mistake.path.startswith("--") else mistake.path


def _web(listen: Listen, *, wanted: bool) -> Web | None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and wanted:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake("--listen", problem, "pip install 'trio-adaptive[service]'")])
    if missing:
        print("No HTTP: pip install 'trio-adaptive[service]' brings it", file=sys.stderr)
        return None
    from trio_adaptive.service.http.web import web  # noqa: PLC0415 - optional, and for one command only

    return web(listen)
