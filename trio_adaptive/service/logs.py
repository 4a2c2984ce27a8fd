"""The log lines of a service, by the standard ``logging`` tree: text for people, or JSON for what collects them."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

from trio_adaptive.errors import ConfigurationError, Mistake

Format: TypeAlias = Literal["text", "json"]

CLUSTER: Final[ContextVar[str]] = ContextVar("cluster", default="")
"""Which of several clusters a task works for; everything that is logged by it and its children tells so."""


def set_up_logging(
    *, live: bool, verbose: bool, quiet: bool, form: Format = "text", level: str | None = None
) -> None:
    """Our own log lines go to stderr; distributed speaks up only when something is wrong.

    Args:
        live: there is a status line as well, so that only what goes wrong is logged.
        verbose: log everything, whatever ``level`` says.
        quiet: log only what goes wrong.
        form: how a line is written.
        level: from which one on, by its name; None for what ``live`` and ``quiet`` ask for.

    Raises:
        ConfigurationError: what writes JSON is not installed.
    """
    usual = logging.WARNING if live or quiet else logging.INFO
    least = logging.DEBUG if verbose else usual if level is None else getattr(logging, level.upper())
    formatter = (
        _json() if form == "json" else _Text("%(asctime)s %(name)s: %(cluster)s%(message)s", "%H:%M:%S")
    )
    for name, lowest in (("trio_adaptive", least), ("distributed", logging.ERROR)):
        # One for each: a cluster object of distributed's silences the handlers of its own log.
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter)
        handler.addFilter(_tell_cluster)
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.setLevel(lowest)
        log.propagate = False


def _tell_cluster(record: logging.LogRecord) -> bool:
    record.cluster = CLUSTER.get()
    return True


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "cluster", "")
        record.cluster = f"[{name}] " if name else ""
        try:
            return super().format(record)
        finally:
            record.cluster = name


def _json() -> logging.Formatter:
    try:
        from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - only those who want it have it
    except ImportError as error:
        allowed = "pip install 'trio-adaptive[service]'"
        raise ConfigurationError(
            [Mistake("log_format", "python-json-logger is not installed", allowed)]
        ) from error
    return JsonFormatter(
        ["levelname", "name", "message", "cluster"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        json_ensure_ascii=False,
    )
