"""What the keys of the tables allow: a test, words for whoever gave something else, and how the value is read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from trio_adaptive.config.allowed import Allowed
from trio_adaptive.service.listen import Listen, parse_address

LogFormat: TypeAlias = Literal["text", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

MOST_THREADS = 1024
MOST_PORT = 65535

CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
NAME_WORDS = "a name of letters, digits, - and _, at most 63 long"


def _one_of(names: tuple[str, ...]) -> Allowed:
    return Allowed(" or ".join(map(repr, names)), lambda word: isinstance(word, str) and word in names)


def _read_path(given: object) -> Path | None:
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or not str(given) or "\0" in str(given):
        raise ValueError("no path")
    return Path(given).expanduser()


def _read_listen(given: object) -> Listen | None:
    if given is None or given is False:
        return None
    if isinstance(given, Listen):
        return given
    if not isinstance(given, str):
        raise TypeError("no address")
    return Listen(parse_address(given), may_move=False)


def _read_dashboard(given: object) -> str | None:
    if given is None or given is False:
        return None
    if not isinstance(given, str) or ":" not in given:
        raise ValueError("no address")
    return given


def _is_number(given: object, least: int, most: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and least <= given <= most


def _read_modules(given: object) -> tuple[str, ...]:
    names: list[Any] = given.split(",") if isinstance(given, str) else list(given)  # type: ignore[call-overload]
    found = tuple(name.strip() for name in names)
    if not all(part.isidentifier() for name in found for part in name.split(".")):
        raise ValueError("no modules")
    return found


def _is_weight(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= 1e6  # noqa: PLR2004


OptionalPath: TypeAlias = Annotated[Path | None, Allowed("a path, as text", read=_read_path)]
ListenHere: TypeAlias = Annotated[
    Listen | None, Allowed('"HOST:PORT", such as "127.0.0.1:8788", or false', read=_read_listen)
]
DashboardAddress: TypeAlias = Annotated[
    str | None, Allowed('"HOST:PORT" or ":PORT", such as ":8787", or false', read=_read_dashboard)
]
OneOfLogFormat: TypeAlias = Annotated[LogFormat, _one_of(get_args(LogFormat))]
OneOfLogLevel: TypeAlias = Annotated[LogLevel, _one_of(get_args(LogLevel))]
OptionalText: TypeAlias = Annotated[
    str | None, Allowed("text", lambda given: isinstance(given, str) and bool(given))
]
Port: TypeAlias = Annotated[
    int, Allowed(f"a whole number from 0 to {MOST_PORT}", lambda given: _is_number(given, 0, MOST_PORT))
]
Threads: TypeAlias = Annotated[
    int,
    Allowed(f"a whole number from 1 to {MOST_THREADS}", lambda given: _is_number(given, 1, MOST_THREADS)),
]
Modules: TypeAlias = Annotated[
    tuple[str, ...], Allowed('modules, such as ["numpy", "my.module"]', read=_read_modules)
]
Weight: TypeAlias = Annotated[float, Allowed("a number above 0", _is_weight)]
YesOrNo: TypeAlias = Annotated[bool, Allowed("true or false", lambda given: isinstance(given, bool))]
