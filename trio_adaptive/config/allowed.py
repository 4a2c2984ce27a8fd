"""What an option allows: a test, words for whoever gave something else, and how its text is read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, Literal, SupportsInt, TypeAlias, cast, get_args

from attrs import frozen

from trio_adaptive.decision.limits import Fallback, Rate, RateChoice
from trio_adaptive.decision.rules import Strangers
from trio_adaptive.decision.targets.named import is_policy
from trio_adaptive.durations import FORMS, parse_duration
from trio_adaptive.forms import RATE_FORM, SCHEDULE_FORM, read_amount, read_number, read_rates, read_schedules
from trio_adaptive.schedules import Schedule


@frozen
class Allowed:
    """One thing that a field asks of its value; a field may ask several, in order.

    Attributes:
        words: what is asked, for whoever gave something else.
        test: whether a value may stand. None is not asked: it stands where ``read`` lets it pass.
        read: makes the field's value of the given one, or raises.
    """

    words: str
    test: Callable[[Any], bool] = lambda _: True
    read: Callable[[Any], Any] = lambda given: given

    def __call__(self, given: object) -> object:
        value = self.read(given)
        if value is not None and not self.test(value):
            raise ValueError(self.words)
        return value


def _read_count(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, SupportsInt) or given != int(given):
        raise ValueError("not a whole number")
    return int(given)


def _read_maximum(given: object) -> float:
    return math.inf if given in (math.inf, "inf") else _read_count(given)


def _read_cores(given: object) -> int | None:
    return None if given is None else _read_count(given)


def _read_memory(given: object) -> int | None:
    if isinstance(given, str):
        if not any(character.isdigit() for character in given):
            raise ValueError("no number in it")  # for Dask, text without a number is one of that unit
        from dask.utils import parse_bytes  # noqa: PLC0415 - only those who have Dask can say it

        return int(parse_bytes(given))
    return _read_cores(given)


def _read_size(given: object) -> int:
    size = _read_memory(given)
    if size is None:
        raise ValueError("no number of bytes")
    return size


def _read_path(given: object) -> str:
    if not isinstance(given, str | os.PathLike):
        raise TypeError("no path")
    return str(os.fspath(given))


def _read_idle_timeout(given: object) -> float | None:
    return None if given in (None, "auto") else parse_duration(given)


def _read_optional(given: object) -> float | None:
    return None if given is None else parse_duration(given)


def _read_value(given: object) -> float:
    if isinstance(given, str) and given in VALUES:
        return VALUES[given]
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError("neither a number nor one of the words")
    return float(given)


def _read_policies(given: object) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple):
        raise TypeError("no list")
    listed = tuple(
        name.strip() if isinstance(name, str) else name for name in cast("Sequence[object]", names)
    )
    policies = tuple(name for name in listed if isinstance(name, str) and is_policy(name))
    if len(policies) < len(listed) or len(set(policies)) < len(policies):
        raise ValueError("not all of them are policies, or one is there twice")
    return policies


VALUES: Mapping[str, float] = {"thrifty": 1.0, "balanced": 2.0, "fast": 6.0}
"""What the presets mean: worker-seconds for a second of one waiting task."""

ABOVE_0 = Allowed("above 0", lambda number: number > 0)
FROM_0 = Allowed("at least 0", lambda number: number >= 0)
FROM_1 = Allowed("at least 1", lambda number: number >= 1)
BELOW_1 = Allowed("below 1", lambda number: number < 1)
FINITE = Allowed("finite", math.isfinite)

NAME = re.compile(r"[A-Za-z0-9_-]*")

Seconds: TypeAlias = Annotated[float, Allowed(f"a duration ({FORMS})", read=parse_duration)]
IdleTimeout: TypeAlias = Annotated[
    float | None, Allowed(f'"auto", None or a duration ({FORMS})', read=_read_idle_timeout)
]
Count: TypeAlias = Annotated[int, Allowed("a whole number", read=_read_count)]
Maximum: TypeAlias = Annotated[float, Allowed("a whole number or inf", read=_read_maximum)]
Sync: TypeAlias = Literal["never", "each", "interval"]
OnExit: TypeAlias = Literal["keep", "minimum", "close"]
OneOfOnExit: TypeAlias = Annotated[
    OnExit, Allowed(" or ".join(map(repr, get_args(OnExit))), lambda word: word in get_args(OnExit))
]
Cores: TypeAlias = Annotated[int | None, Allowed("a whole number of cores", read=_read_cores)]
Memory: TypeAlias = Annotated[int | None, Allowed('bytes, or text such as "100 GiB"', read=_read_memory)]
OneOfStrangers: TypeAlias = Annotated[
    Strangers, Allowed(" or ".join(map(repr, get_args(Strangers))), lambda word: word in get_args(Strangers))
]
Share: TypeAlias = Annotated[float, Allowed("a number", read=read_number)]
Hours: TypeAlias = Annotated[float, Allowed("a number or inf", read=read_amount)]
OneOfRateChoice: TypeAlias = Annotated[
    RateChoice,
    Allowed(" or ".join(map(repr, get_args(RateChoice))), lambda word: word in get_args(RateChoice)),
]
OneOfFallback: TypeAlias = Annotated[
    Fallback, Allowed(" or ".join(map(repr, get_args(Fallback))), lambda word: word in get_args(Fallback))
]
Size: TypeAlias = Annotated[int | None, Allowed("a whole number or None", read=_read_cores)]
Rates: TypeAlias = Annotated[tuple[Rate, ...], Allowed(RATE_FORM, read=read_rates)]
Schedules: TypeAlias = Annotated[tuple[Schedule, ...], Allowed(SCHEDULE_FORM, read=read_schedules)]
Text: TypeAlias = Annotated[str, Allowed("text", lambda given: isinstance(given, str))]
UnitName: TypeAlias = Annotated[
    str,
    Allowed("letters, digits, - or _", lambda given: isinstance(given, str) and bool(NAME.fullmatch(given))),
]
YesOrNo: TypeAlias = Annotated[bool, Allowed("true or false", lambda given: isinstance(given, bool))]
FilePath: TypeAlias = Annotated[str, Allowed("a path, as text", read=_read_path)]
Bytes: TypeAlias = Annotated[int, Allowed('bytes, or text such as "100 MiB"', read=_read_size)]
OnBreaker: TypeAlias = Literal["probe", "end"]
OneOfOnBreaker: TypeAlias = Annotated[
    OnBreaker, Allowed(" or ".join(map(repr, get_args(OnBreaker))), lambda word: word in get_args(OnBreaker))
]
OneOfSync: TypeAlias = Annotated[
    Sync, Allowed(" or ".join(map(repr, get_args(Sync))), lambda word: word in get_args(Sync))
]
PolicyName: TypeAlias = Annotated[
    str, Allowed('"demand", "dask", "adaptive", "count", "fixed:N" or "module:Class"', is_policy)
]
PolicyNames: TypeAlias = Annotated[
    tuple[str, ...], Allowed('names of policies, such as ["adaptive", "dask"]', read=_read_policies)
]
ValueOfTime: TypeAlias = Annotated[float, Allowed("thrifty, balanced, fast or a number", read=_read_value)]
OptionalSeconds: TypeAlias = Annotated[
    float | None, Allowed(f"None or a duration ({FORMS})", read=_read_optional)
]
WorkerKey: TypeAlias = Annotated[
    Callable[[Any], Hashable] | None, Allowed("a function of a worker's state, or None", callable)
]
