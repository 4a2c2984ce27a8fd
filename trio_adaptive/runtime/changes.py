"""Which settings can be changed while a scaler runs, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import fields_dict

from trio_adaptive.config import Settings
from trio_adaptive.decision.limits import Limits
from trio_adaptive.decision.rules import Rules

RETRY_JITTER: Final = 0.2
"""The share of a pause after a failed launch that may be left out."""

BOUNDS: Final = frozenset({"minimum", "maximum"})

POLICY: Final = frozenset({"policy", "target_duration", "value_of_time", "startup_billed", "startup"})
"""What a policy is made of; a change makes a new one, which has nothing in mind but what is remembered of earlier runs."""

RULES: Final = frozenset(fields_dict(Rules)) - {"limits", "retry_jitter"} | frozenset(fields_dict(Limits))
"""What the decision goes by."""

RUNTIME: Final = frozenset(
    {
        *("min_interval", "call_timeout", "request_timeout", "drain_timeout", "stop_timeout"),
        *("on_breaker", "scheduler_timeout", "schedules"),
    }
)
"""What the tasks around it look up anew each time."""

LIVE: Final = BOUNDS | POLICY | RULES | RUNTIME
"""All that can be changed; the rest is read once, at the beginning."""


def rules_of(settings: Settings) -> Rules:
    """What the decision needs of the settings."""
    names = fields_dict(Rules).keys() - {"limits", "retry_jitter"}
    return Rules(
        **{name: getattr(settings, name) for name in names},
        retry_jitter=RETRY_JITTER,
        limits=Limits(**{name: getattr(settings, name) for name in fields_dict(Limits)}),
    )


def in_words(changed: Mapping[str, Any]) -> str:
    """What is new, for records."""
    return ", ".join(f"{name} is now {_shown(value)}" for name, value in sorted(changed.items()))


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
