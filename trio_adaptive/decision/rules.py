"""The settings that the decision goes by: frozen values, which only a command changes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from trio_adaptive.decision.limits import Limits

Strangers: TypeAlias = Literal["auto", "adopt", "retire", "ignore"]
"""adopt: treated like one's own; retire: they leave at once; ignore: only counted; auto: adopted, unless the service
has attached itself to somebody else's scheduler."""


@frozen
class Rules:
    """The settings that the decision needs, all durations in seconds.

    Attributes:
        interval: time between two ticks.
        wait_count: how many ticks in a row a unit must be named before it goes.
        idle_timeout: how long a unit must have been named before it goes; None: as the policy says, or at least
            ``wait_count`` intervals and the usual start-up time, since fetching it again would take that long.
        retry_delay: pause after a failed launch, doubled with each further one.
        retry_delay_max: the longest such pause.
        retry_jitter: the share of such a pause that may be left out, so that many programs do not come back at once.
        breaker_failures: after so many failures in a row launches are tried one by one.
        startup_timeout: how long a unit may take to register; None: as long as is learned to be sensible.
        strangers: what becomes of workers that nobody planned, see `Strangers`.
        pending_timeout: the same as ``idle_timeout`` for a unit that has not registered; None: as long as for others.
        limits: what the limiters go by.
        target_duration: how long the work at hand should take, for the load of an estimated cluster.
    """

    interval: float = 1.0
    wait_count: int = 3
    idle_timeout: float | None = None
    retry_delay: float = 1.0
    retry_delay_max: float = 60.0
    retry_jitter: float = 0.0
    breaker_failures: int = 5
    startup_timeout: float | None = None
    strangers: Strangers = "auto"
    pending_timeout: float | None = None
    limits: Limits = field(factory=Limits)
    target_duration: float = 5.0
