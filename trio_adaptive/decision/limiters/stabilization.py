"""Following the load only where it stays: the smallest wish of a while when growing, the largest when shrinking.

The rule is that of Kubernetes' HorizontalPodAutoscaler (``stabilizationWindowSeconds``): the size moves towards the wish
no further than every wish in the window agrees with. The extremes of a moving window are kept as monotonic deques: a wish
that a later one outdoes can never be the extreme again, so that each is added and dropped once.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, le

from attrs import evolve

from trio_adaptive.decision.limiters.passage import Passage
from trio_adaptive.decision.limits import Wish


def stabilize(passage: Passage) -> tuple[Passage, str]:
    """No larger than the smallest wish in the window above, no smaller than the largest in the window below."""
    limits, memory = passage.limits, passage.state.memory
    if not limits.stabilization_up and not limits.stabilization_down:
        return passage, ""
    at, active = passage.facts.at, passage.facts.active
    wish = Wish(at, passage.n)
    # What was before the beginning is the size that was there: a restart is no reason to move at once.
    first = Wish(at, active)
    peaks = _pushed(memory.peaks or (first,), wish, limits.stabilization_down, le)
    dips = _pushed(memory.dips or (first,), wish, limits.stabilization_up, ge)
    state = evolve(passage.state, memory=evolve(memory, peaks=peaks, dips=dips))
    passage = evolve(passage, state=state)
    low, high = dips[0].n, peaks[0].n
    if low > active:
        return passage.nearer(low), f"the least that was asked for in {limits.stabilization_up:g} s"
    if high < active:
        return passage.nearer(high), f"the most that was asked for in {limits.stabilization_down:g} s"
    window = limits.stabilization_up if passage.n > active else limits.stabilization_down
    return passage.nearer(active), f"not asked for throughout the last {window:g} s"


def _pushed(
    kept: tuple[Wish, ...], new: Wish, window: float, outdone: Callable[[int, int], bool]
) -> tuple[Wish, ...]:
    end = len(kept)
    while end and outdone(kept[end - 1].n, new.n):
        end -= 1
    begin = 0
    while begin < end and kept[begin].at <= new.at - window:
        begin += 1
    return (*kept[begin:end], new)
