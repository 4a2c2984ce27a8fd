"""The options of the service's HTTP side."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.listen import DEFAULT_ADDRESS, Address, Listen, parse_address

if TYPE_CHECKING:
    from trio_adaptive.service.up import Web

FILES = {
    "tls-cert": "certificate of the service, in PEM; beyond this machine it does not listen without",
    "tls-key": "its key",
    "tls-client-ca": "authorities whose client certificates are let in",
    "tokens": "TOML file of bearer tokens and roles; read again when it changes, as the certificates are",
}
"""Options that name a file, and what it is."""

NEEDED = ("starlette", "hypercorn")


def add_web_options(command: argparse.ArgumentParser) -> None:
    """What the command takes."""
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


def chosen_web(options: argparse.Namespace) -> Web | None:
    """What serves over HTTP; None where that is not wanted, or not installed and nobody has asked for it.

    Raises:
        ConfigurationError: naming all that is wrong or missing.
    """
    if options.no_listen:
        return None
    asked = [
        f"--{name}" for name in ("listen", *FILES) if getattr(options, name.replace("-", "_")) is not None
    ]
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing and asked:
        problem = f"not installed: {', '.join(missing)}"
        raise ConfigurationError([Mistake(asked[0], problem, "pip install 'trio-adaptive[service]'")])
    if missing:
        print("No HTTP: pip install 'trio-adaptive[service]' brings it", file=sys.stderr)
        return None
    from trio_adaptive.service.http.web import web  # noqa: PLC0415 - optional, and for one command only

    return web(
        Listen(
            options.listen or DEFAULT_ADDRESS,
            may_move=options.listen is None,
            cert=options.tls_cert,
            key=options.tls_key,
            client_ca=options.tls_client_ca,
            tokens=options.tokens,
        )
    )
