"""How the limiters' settings are written: numbers, rates and schedules.

A reader makes the value of what was given, or raises: `ValueError` where all of it is wrong, `Misread` where a part is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from trio_adaptive.decision.limits import Rate
from trio_adaptive.durations import FORMS, parse_duration
from trio_adaptive.errors import Mistake
from trio_adaptive.schedules import Schedule

RATE_FORM: Final = 'text such as "4 in 1 min" or "50 % in 15 s", or a list of such'
SCHEDULE_FORM: Final = 'a list of tables with start, end, timezone, minimum and maximum, such as {start = "0 8 * * mon-fri", end = "0 18 * * mon-fri", timezone = "Europe/Berlin", minimum = 10}'

_RATE = re.compile(r"\s*(?P<amount>\d+(?:\.\d+)?)\s*(?P<percent>%?)\s+in\s+(?P<period>.+)")
_CRON_FIELDS: Final = 5
_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)

_FIELDS: Final[Mapping[str, str]] = {
    "start": 'a cron expression of five fields, such as "0 8 * * mon-fri"',
    "end": 'a cron expression of five fields, such as "0 18 * * mon-fri"',
    "timezone": 'the name of a time zone, such as "Europe/Berlin"',
    "minimum": "a whole number, at least 0",
    "maximum": "a whole number, at least 0",
}


class Misread(ValueError):  # noqa: N818 - what happened; it lists what is wrong
    """Parts of a value are wrong. The paths begin after the option's own."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(map(str, self.mistakes)))


def read_number(given: object) -> float:
    """A finite number; no text."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not -math.inf < given < math.inf:
        raise ValueError("not a number")
    return float(given)


def read_amount(given: object) -> float:
    """A number, which may be infinite."""
    return math.inf if given in (math.inf, "inf") else read_number(given)


def read_rates(given: object) -> tuple[Rate, ...]:
    """One rate or several."""
    parts = [given] if isinstance(given, str | Rate) else _sequence(given)
    rates: list[Rate] = []
    mistakes: list[Mistake] = []
    for number, part in enumerate(parts):
        try:
            rates.append(part if isinstance(part, Rate) else _read_rate(part))
        except ValueError as error:
            place = "" if isinstance(given, str) else f"[{number}]"
            mistakes.append(Mistake(place, f"is {part!r:.60}: {error}", RATE_FORM))
    if mistakes:
        raise Misread(mistakes)
    return tuple(rates)


def _sequence(given: object) -> Sequence[object]:
    if not isinstance(given, list | tuple):
        raise ValueError("neither text nor a list")  # noqa: TRY004 - a wrong value of an option, as all others
    return cast("Sequence[object]", given)


def _read_rate(given: object) -> Rate:
    match = _RATE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError("not a rate")
    period, percent = parse_duration(match["period"]), bool(match["percent"])
    amount = float(match["amount"])
    if not 0 < period < float("inf"):
        raise ValueError(f"the period is no duration above 0 ({FORMS})")
    if not amount or (not percent and amount != int(amount)):
        raise ValueError("the amount is no whole number of workers above 0")
    return Rate(amount, percent, period)


def read_schedules(given: object) -> tuple[Schedule, ...]:
    """A list of tables."""
    schedules: list[Schedule] = []
    mistakes: list[Mistake] = []
    for number, part in enumerate(_sequence(given)):
        wrong: list[Mistake] = []
        schedule = part if isinstance(part, Schedule) else _read_schedule(part, f"[{number}]", wrong)
        if schedule is not None:
            schedules.append(schedule)
        mistakes += wrong
    if mistakes:
        raise Misread(mistakes)
    return tuple(schedules)


def _read_schedule(given: object, path: str, wrong: list[Mistake]) -> Schedule | None:
    if not isinstance(given, Mapping):
        wrong.append(Mistake(path, f"is {given!r:.60}", "a table"))
        return None
    table = cast("Mapping[Any, Any]", given)  # type: ignore[redundant-cast] # pyright needs it
    known = f"one of {', '.join(_FIELDS)}"
    wrong += [Mistake(f"{path}.{name!s:.60}", "unknown", known) for name in table if name not in _FIELDS]
    for name, words in _FIELDS.items():
        value = table.get(name)
        if value is None and name not in {"start", "end"}:
            continue
        if problem := _problem(name, value):
            wrong.append(Mistake(f"{path}.{name}", problem, words))
    if not wrong:
        _check_sense(table, path, wrong)
    return None if wrong else Schedule(**{k: v for k, v in table.items() if v is not None})


def _problem(name: str, value: Any) -> str:
    """What is wrong with one field of a schedule, in words; empty where nothing is."""
    if value is None:
        return "is missing"
    shown = f"is {value!r:.60}"
    if name in {"minimum", "maximum"}:
        return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else shown
    if not isinstance(value, str):
        return shown
    try:
        _find_zone(value) if name == "timezone" else _try_cron(value)
    except ValueError as error:
        return f"{shown}: {error}"
    return ""


def _find_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise ValueError("no time zone of that name") from None


def _try_cron(expression: str) -> None:
    if len(expression.split()) != _CRON_FIELDS:
        raise ValueError("not five fields")
    try:
        never = next(CronSim(expression, _SOME_DAY), None) is None
    except CronSimError as error:
        raise ValueError(str(error)) from None
    if never:
        raise ValueError("such a day never comes")


def _check_sense(table: Mapping[str, Any], path: str, wrong: list[Mistake]) -> None:
    least, most = table.get("minimum"), table.get("maximum")
    if least is None and most is None:
        wrong.append(Mistake(path, "says neither minimum nor maximum", "at least one of them"))
    elif least is not None and most is not None and least > most:
        wrong.append(Mistake(path, f"minimum is {least}, but maximum is {most}", "minimum at most maximum"))
    if table["start"].split() == table["end"].split():
        wrong.append(Mistake(path, f"start and end are both {table['start']!r}", "an end that differs"))


def number_or_text(text: str) -> float | str:
    """A number where it is one; whether it will do is for the settings to say, of all options at once."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
