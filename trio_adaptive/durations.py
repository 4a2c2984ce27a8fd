"""Durations as people write them: ``5``, ``timedelta(seconds=5)``, ``"5s"``, ``"1.5 minutes"``, ``"inf"``.

The spellings are those of Dask's configuration, so that a value works on either side.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from fractions import Fraction
from typing import SupportsFloat

FORMS = 'seconds, a timedelta, or text such as "500ms", "5s", "1.5 minutes"'
"""What `parse_duration` reads, for messages. Infinity is left out: few durations may be infinite."""

_NAMES = {
    Fraction(1, 1_000_000_000): ("ns", "nanosecond", "nanoseconds"),
    Fraction(1, 1_000_000): ("us", "microsecond", "microseconds"),
    Fraction(1, 1_000): ("ms", "millisecond", "milliseconds"),
    Fraction(1): ("", "s", "sec", "second", "seconds"),
    Fraction(60): ("m", "min", "minute", "minutes"),
    Fraction(3_600): ("h", "hour", "hours"),
    Fraction(86_400): ("d", "day", "days"),
    Fraction(604_800): ("w", "week", "weeks"),
}
UNITS = {name: seconds for seconds, names in _NAMES.items() for name in names}
"""Seconds in a unit, by every name of it. Fractions, since 0.001 is not a float and 1/1000 is."""

_TEXT = re.compile(r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)?\s*(?P<unit>[a-z]*)")


def parse_duration(value: object) -> float:
    """Seconds from a number, a timedelta or a text; the sign is kept, infinity is a duration.

    A unit alone is one of it, as in Dask: ``"day"`` is ``"1 day"``.

    Raises:
        ValueError: it is something else: NaN, a truth value, an unknown unit, a number beyond floats.
    """
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, SupportsFloat) and not isinstance(value, bool):
        return _parse_number(value)
    raise ValueError(f"a {type(value).__name__} is not a duration; allowed: {FORMS}")


def _parse_number(number: SupportsFloat) -> float:
    try:
        seconds = float(number)
    except OverflowError:
        raise ValueError("too large a number of seconds") from None
    if math.isnan(seconds):
        raise ValueError("NaN is not a duration")
    return seconds


def _parse_text(text: str) -> float:
    spelled = text.strip().lower()
    if spelled in {"inf", "infinity"}:
        return math.inf
    match = _TEXT.fullmatch(spelled)
    if not spelled or match is None or match["unit"] not in UNITS:
        raise ValueError(f"{text!r} is not a duration; allowed: {FORMS}")
    unit = UNITS[match["unit"]]
    return float(match["number"] or 1) * unit.numerator / unit.denominator
