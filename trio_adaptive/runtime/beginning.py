"""What a lifetime begins with: rules, policies, and the name of its units."""

from __future__ import annotations

import math
import secrets

from attrs import evolve

from trio_adaptive.clusters.base import Cluster, Queued
from trio_adaptive.config import Settings
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.runtime.changes import rules_of
from trio_adaptive.runtime.policies import policy_of, shadows_of
from trio_adaptive.runtime.recall import Recall


def first_state(settings: Settings, recall: Recall) -> State:
    """What the decision knows before the first look."""
    rules = rules_of(settings)
    # The prefix tells apart the units of two runs on one scheduler.
    prefix = f"{settings.name or 'adaptive'}-{secrets.token_hex(3)}"
    policy = policy_of(settings, recall.memory)
    return State(
        rules,
        policy,
        minimum=settings.minimum,
        maximum=settings.maximum,
        prefix=prefix,
        policy_name=settings.policy,
        shadows=shadows_of(settings, recall.memory),
    )


def patient(rules: Rules, port: Cluster) -> Rules:
    """The rules for a cluster whose units wait in a queue: where nobody has said how long, it is for ever."""
    if rules.startup_timeout is not None or not (isinstance(port, Queued) and port.queues):
        return rules
    return evolve(rules, startup_timeout=math.inf)
