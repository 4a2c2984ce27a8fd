"""Small differences are not worth a start or a drain.

The rule is that of Kubernetes' HorizontalPodAutoscaler: nothing is done where the size that is asked for and the one that
there is differ by no more than a share of the latter. What counts is what is asked for, not how far the rates let the size
go in one step: a slow rate would otherwise never get over the tolerance.
"""

from __future__ import annotations

from trio_adaptive.decision.limiters.passage import Passage


def tolerance(passage: Passage) -> tuple[Passage, str]:
    """No change where the difference is within the tolerance of its direction."""
    limits, active = passage.limits, passage.facts.active
    asked = passage.n if passage.asked is None else passage.asked
    allowed = limits.tolerance_up if asked > active else limits.tolerance_down
    # 0.1 * 30 is 3.0000000000000004 the other way round: a difference of exactly the tolerance is within it.
    if passage.n == active or abs(asked - active) > round(allowed * active, 9):
        return passage, ""
    return passage.nearer(active), f"{asked} is within {100 * allowed:g} % of {active}"
