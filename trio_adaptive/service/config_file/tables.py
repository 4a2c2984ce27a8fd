"""The tables of a configuration file, each as one frozen value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import attrs
from attrs import evolve, field, frozen

from trio_adaptive.config.allowed import FROM_1, Maximum
from trio_adaptive.config.sources import near, shown
from trio_adaptive.errors import Mistake
from trio_adaptive.service.config_file.fields import (
    DashboardAddress,
    ListenHere,
    Modules,
    OneOfLogFormat,
    OneOfLogLevel,
    OptionalPath,
    OptionalText,
    Port,
    Threads,
    Weight,
    YesOrNo,
)
from trio_adaptive.service.listen import Listen

T = TypeVar("T")

ANY_PORT = "127.0.0.1:0"


@frozen(kw_only=True)
class ServiceTable:
    """``[service]``: what there is one of, however many clusters there are.

    Attributes:
        name: tells this service from others on this machine, for commands.
        listen: host and port of the HTTP API and the page; None for none.
        tls_cert: the server's certificate, in PEM.
        tls_key: its key.
        tls_client_ca: whoever has a certificate of this authority may come in.
        tokens: the file of the bearer tokens.
        log_format: lines of "text" or of "json".
        log_level: from which level on; None for what the command line says.
        maximum: the most workers that all clusters may have together, divided fairly; infinite for no such bound.
    """

    name: OptionalText | None = None
    listen: ListenHere = field(factory=Listen)
    tls_cert: OptionalPath = None
    tls_key: OptionalPath = None
    tls_client_ca: OptionalPath = None
    tokens: OptionalPath = None
    log_format: OneOfLogFormat = "text"
    log_level: OneOfLogLevel | None = None
    maximum: Annotated[Maximum, FROM_1] = math.inf


@frozen(kw_only=True)
class WorkersTable:
    """``[cluster]`` or ``[clusters.NAME]`` with worker processes on this machine.

    Attributes:
        scheduler: address of a scheduler that runs; None to start one.
        port: of the scheduler that is started; 0 for any.
        dashboard_address: host and port of Dask's dashboard; None for none.
        nthreads: threads of a worker; None for one.
        worker_command: command that starts one worker; None for ``dask worker``.
        preload: modules that are imported once, for all workers.
        cold: start each worker anew instead of forking it.
        worker_logs: a folder for the output of the workers.
        record: a file for every task of the scheduler that is started; None for none.
        weight: the cluster's part where all clusters share a maximum.
    """

    scheduler: OptionalText = None
    port: Port = 0
    dashboard_address: DashboardAddress = ANY_PORT
    nthreads: Threads | None = None
    worker_command: OptionalText = None
    preload: Modules = ()
    cold: YesOrNo = False
    worker_logs: OptionalPath = None
    record: OptionalPath = None
    weight: Weight = 1.0


Table = TypeVar("Table", ServiceTable, WorkersTable)

PATHS = ("tls_cert", "tls_key", "tls_client_ca", "tokens", "worker_logs", "record")
"""Keys that name a file, which is looked for beside the configuration file."""


def _readers(cls: type[Any]) -> Mapping[str, tuple[Any, ...]]:
    hints = get_type_hints(cls, include_extras=True)
    return {name: _asked(hint) for name, hint in hints.items()}


def _asked(hint: Any) -> tuple[Any, ...]:
    """What is asked of a value, in order; that of ``X | None`` is that of ``X``."""
    if hasattr(hint, "__metadata__"):
        return tuple(hint.__metadata__)
    return next(_asked(part) for part in hint.__args__ if hasattr(part, "__metadata__"))


def allowed_keys(cls: type[Any]) -> Mapping[str, str]:
    """Every key of a table, and what is allowed for it, in words."""
    return {name: ", ".join(each.words for each in asked) for name, asked in _readers(cls).items()}


def spelled(table: Mapping[str, Any], place: Callable[[str], str], mistakes: list[Mistake]) -> dict[str, Any]:
    """The table with ``_`` for ``-`` in its keys; a key in two spellings is a mistake."""
    found: dict[str, Any] = {}
    for written, value in table.items():
        name = written.replace("-", "_")
        if name in found:
            mistakes.append(Mistake(place(written), "given twice", "one spelling of it"))
        found[name] = value
    return found


def read_table(
    cls: type[T], table: Mapping[str, Any], place: Callable[[str], str], mistakes: list[Mistake]
) -> T:
    """Read a table whose keys have been `spelled`.

    Args:
        cls: what is made of it.
        table: as it was written; other keys than those of the class are mistakes.
        place: gives the path of a key for messages.
        mistakes: those that are found are added here, and the default stands in for the value.
    """
    readers = _readers(cls)
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in readers:
            keys = ", ".join(readers)
            mistakes.append(Mistake(place(name), f"unknown key{near(name, readers)}", f"one of {keys}"))
            continue
        try:
            values[name] = _read(readers[name], value)
        except Exception:  # noqa: BLE001 - whatever a reader makes of nonsense, it is nonsense
            mistakes.append(Mistake(place(name), f"is {shown(value)}", allowed_keys(cls)[name]))
    return cls(**values)


def _read(asked: tuple[Any, ...], value: Any) -> Any:
    for each in asked:
        value = each(value)
    return value


def with_paths(table: Table, folder: Path) -> Table:
    """The table with its relative paths made to start from this folder."""
    names = [field.name for field in attrs.fields(type(table)) if field.name in PATHS]
    paths = {name: value for name in names if (value := getattr(table, name)) is not None}
    return evolve(table, **{name: folder / value for name, value in paths.items()})
