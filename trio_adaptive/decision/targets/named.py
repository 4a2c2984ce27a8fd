"""The policies by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.targets.adaptive import Adaptive
from trio_adaptive.decision.targets.durations import Remembered
from trio_adaptive.decision.targets.simple import Count, Dask, Demand, Fixed

FIXED: Final = re.compile(r"fixed:(\d+)")
OWN: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
NAMES: Final = ("demand", "dask", "adaptive", "count")


def is_policy(name: object) -> bool:
    """Whether this names a policy of ours, or might name one of a user's own."""
    return isinstance(name, str) and (
        name in NAMES or FIXED.fullmatch(name) is not None or OWN.fullmatch(name) is not None
    )


def named_policy(
    name: str,
    *,
    target_duration: float = 5.0,
    value_of_time: float = 2.0,
    startup_billed: bool = True,
    startup: float | None = None,
    remembered: Mapping[str, Remembered] | None = None,
) -> Policy | None:
    """The policy of this name; None where it is none of ours.

    Args:
        name: such as ``"adaptive"`` or ``"fixed:8"``.
        target_duration: of "dask" and "adaptive".
        value_of_time: of "adaptive", as are the others, see `trio_adaptive.decision.targets.adaptive.Adaptive`.
        startup_billed: see there.
        startup: see there.
        remembered: see there.
    """
    if fixed := FIXED.fullmatch(name):
        return Fixed(int(fixed[1]))
    match name:
        case "demand":
            return Demand()
        case "dask":
            return Dask(target_duration)
        case "count":
            return Count()
        case "adaptive":
            return Adaptive(target_duration, value_of_time, startup_billed, startup, remembered or {})
        case _:
            return None
