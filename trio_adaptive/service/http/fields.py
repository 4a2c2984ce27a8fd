"""The fields of requests: what is allowed, how it is read, and how OpenAPI writes that. All mistakes leave at once."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from attrs import field, frozen

from trio_adaptive.durations import parse_duration
from trio_adaptive.errors import Mistake
from trio_adaptive.service.http.problems import Problem

WORKERS: Final = 100_000
"""More workers than this nobody means."""

TEXT: Final = 200
"""The longest text, in characters."""

DIGITS: Final = 19
"""A number in a query with more digits is none."""


@frozen
class Field:
    """One field of a query or of a body.

    Attributes:
        name: of the field.
        allowed: what may stand there, in words.
        read: makes the value of what was given; raises `ValueError` or `TypeError` where that is something else.
        schema: the same as JSON Schema.
        required: whether it has to be given.
        default: the value where it is not.
    """

    name: str
    allowed: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    required: bool = False
    default: Any = None
    summary: str = field(default="", kw_only=True)


def read_fields(fields: Sequence[Field], given: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """The values by name, those that were not given with their defaults.

    Raises:
        Problem: naming all that is wrong.
    """
    known = {each.name: each for each in fields}
    values = {each.name: each.default for each in fields}
    seen: set[str] = set()
    mistakes: list[Mistake] = []
    for name, value in given:
        if name not in known:
            mistakes.append(
                Mistake(_shown(name, bare=True), "is unknown", f"one of: {', '.join(known) or 'none'}")
            )
        elif name in seen:
            mistakes.append(Mistake(name, "is given twice", "once"))
        else:
            try:
                values[name] = known[name].read(value)
            except (ValueError, TypeError, OverflowError):
                mistakes.append(Mistake(name, f"is {_shown(value)}", known[name].allowed))
        seen.add(name)
    mistakes += [
        Mistake(each.name, "is missing", each.allowed)
        for each in fields
        if each.required and each.name not in seen
    ]
    if mistakes:
        detail = "; ".join(map(str, mistakes))
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, mistakes=mistakes)
    return values


def read_object(body: bytes) -> list[tuple[str, object]]:
    """The members of a JSON object, in order, a name that is there twice twice; nothing at all is an empty one.

    Raises:
        Problem: it is something else.
    """
    try:
        members = (
            json.loads(body, object_pairs_hook=_Members, parse_constant=_no_number)
            if body.strip()
            else _Members()
        )
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(members, _Members):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    return list(members)


class _Members(list[tuple[str, object]]):
    """An object, with names that may be there twice."""


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _shown(value: object, *, bare: bool = False) -> str:
    text = reprlib.repr(dict(value) if isinstance(value, _Members) else value)
    return text[1:-1] if bare else text


def whole(value: object, low: int, high: int) -> int:
    """A whole number within bounds; a truth value is none."""
    number = (
        int(value) if isinstance(value, float) and value.is_integer() else value
    )  # 2.0 is whole in JSON Schema
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise ValueError(value)
    return number


def from_query(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number of digits."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
            raise ValueError(text)
        return whole(int(text), low, high)

    return read


def flag(text: str) -> bool:
    """``true`` or ``false``."""
    return {"true": True, "false": False}[text] if text in {"true", "false"} else _refuse(text)


def _refuse(value: object) -> bool:
    raise ValueError(value)


def text(value: object) -> str:
    """One line of text that can be shown anywhere."""
    if not isinstance(value, str) or not LINE.fullmatch(value):
        raise ValueError(value)
    value.encode()  # half of a pair of surrogates is no text; that is a ValueError, too
    return value


def duration(value: object) -> float:
    """Seconds above 0; null is for ever."""
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    if isinstance(value, str) and not LENGTH.fullmatch(value):
        raise ValueError(value)
    seconds = parse_duration(value)
    if not seconds > 0:
        raise ValueError(value)
    return seconds


def moment(value: str) -> float:
    """Seconds since the epoch, or a time such as ``2026-03-01T14:05`` in the service's own zone unless it has one."""
    try:
        seconds = float(value) if value.isascii() else math.nan
    except ValueError:
        seconds = datetime.fromisoformat(value).astimezone().timestamp()
    if not math.isfinite(seconds):
        raise ValueError(value)
    return seconds


LINE: Final = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{{0,{TEXT}}}")
"""Text without what would break a line, hide, or turn what follows around."""

LINE_SCHEMA: Final = {"type": "string", "pattern": f"^{LINE.pattern}$"}
UNITS: Final = "ns|us|ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?"
LENGTH: Final = re.compile(
    rf"(?:[0-9]{{0,9}}[1-9][0-9]{{0,9}}(?:[.][0-9]{{1,9}})?|0[.][0-9]{{0,9}}[1-9]) ?(?:{UNITS})"
)
"""A duration above 0 as text, in the part of its spellings that a schema can tell."""

NUMBER_OF_WORKERS: Final = f"a whole number of workers, 0 to {WORKERS}"
DURATION: Final = (
    'seconds above 0, text such as "500ms", "5s", "1.5 minutes", or null for until it is changed'
)

N: Final = Field(
    "n",
    NUMBER_OF_WORKERS,
    lambda value: whole(value, 0, WORKERS),
    {"type": "integer", "minimum": 0, "maximum": WORKERS},
    required=True,
    summary="how many workers",
)
FOR: Final = Field(
    "for",
    DURATION,
    duration,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": f"^(?:{LENGTH.pattern})$"},
            {"type": "null"},
        ],
        "examples": ["10 min", 600],
    },
    default=math.inf,
    summary="for how long",
)
DIRECTIONS: Final = ("both", "growing", "shrinking")
DIRECTION: Final = Field(
    "direction",
    " or ".join(map(repr, DIRECTIONS)),
    lambda value: value if isinstance(value, str) and value in DIRECTIONS else _refuse(value),
    {"type": "string", "enum": list(DIRECTIONS)},
    default="both",
    summary="which way",
)
MINIMUM: Final = Field(
    "minimum",
    NUMBER_OF_WORKERS,
    lambda value: whole(value, 0, WORKERS),
    {"type": "integer", "minimum": 0, "maximum": WORKERS},
    summary="never fewer workers",
)
MAXIMUM: Final = Field(
    "maximum",
    f"{NUMBER_OF_WORKERS}, or null for no bound",
    lambda value: math.inf if value is None else whole(value, 0, WORKERS),
    {"type": ["integer", "null"], "minimum": 0, "maximum": WORKERS},
    summary="never more workers",
)
REASON: Final = Field(
    "reason",
    f"a line of text, {TEXT} characters at most",
    text,
    LINE_SCHEMA,
    default="",
    summary="for the record",
)
