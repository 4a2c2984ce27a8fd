"""Other settings for a recorded run: which ones there are, and the state that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from attrs import evolve, fields_dict

from trio_adaptive.config import OPTIONS, Settings, load_settings
from trio_adaptive.decision.limits import Limits
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.forms import number_or_text
from trio_adaptive.journal.memory import Memory
from trio_adaptive.runtime.policies import policy_of

LIMITS: Final = frozenset(fields_dict(Limits))
RULES: Final = frozenset(fields_dict(Rules)) & frozenset(OPTIONS) - {"interval"}
"""Of the rules; the looks were taken when they were taken, so there is no other interval."""

OF_POLICY: Final = frozenset({"policy", "target_duration", "value_of_time", "startup_billed", "startup"})
BOUNDS: Final = frozenset({"minimum", "maximum"})
DECIDING: Final = tuple(sorted(LIMITS | RULES | OF_POLICY | BOUNDS))
"""The settings that a decision depends on."""


def read_changes(given: Sequence[str]) -> Mapping[str, Any]:
    """The settings in ``NAME=VALUE``, as values.

    Raises:
        ConfigurationError: naming all that is wrong.
    """
    mistakes: list[Mistake] = []
    texts: dict[str, object] = {}
    for each in given:
        name, sign, value = each.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in DECIDING:
            mistakes.append(Mistake("--set", f"is {each!r}", f"NAME=VALUE with one of {', '.join(DECIDING)}"))
        else:
            texts[name] = number_or_text(value.strip())
    try:
        # The bounds are held against each other where those of the recording are known.
        settings = load_settings({name: value for name, value in texts.items() if name not in BOUNDS})
        sizes = {name: load_settings({name: texts[name]}) for name in BOUNDS & texts.keys()}
    except ConfigurationError as error:
        raise ConfigurationError([*mistakes, *error.mistakes]) from None
    if mistakes:
        raise ConfigurationError(mistakes)
    return {name: getattr(sizes.get(name, settings), name) for name in texts}


def changed(state: State, changes: Mapping[str, Any]) -> State:
    """The state with these settings in place of its own.

    Raises:
        ConfigurationError: they contradict the others, or there is no such policy.
    """
    limits = evolve(state.rules.limits, **{n: v for n, v in changes.items() if n in LIMITS})
    rules = evolve(state.rules, limits=limits, **{n: v for n, v in changes.items() if n in RULES})
    minimum, maximum = changes.get("minimum", state.minimum), changes.get("maximum", state.maximum)
    if minimum > maximum:
        problem = f"minimum is {minimum}, but maximum is {maximum:g}"
        raise ConfigurationError([Mistake("--set", problem, "a minimum of at most the maximum")])
    return evolve(
        state,
        rules=rules,
        minimum=minimum,
        maximum=maximum,
        policy=_policy(state, changes),
        policy_name=changes.get("policy", state.policy_name),
        shadows=(),
    )


def _policy(state: State, changes: Mapping[str, Any]) -> Policy:
    asked = {name: value for name, value in changes.items() if name in OF_POLICY}
    name = asked.pop("policy", state.policy_name)
    if name == state.policy_name:
        policy: Any = (
            state.policy
        )  # one of ours, all of them attrs classes: those of a user's own are not decided again
        has = fields_dict(type(policy))
        return cast("Policy", evolve(policy, **{n: v for n, v in asked.items() if n in has}))
    settings = evolve(Settings(policy=name, target_duration=state.rules.target_duration), **asked)
    return policy_of(settings, Memory())
