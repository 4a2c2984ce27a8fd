"""From the setting `policy` to a policy, also one of a user's own."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from attrs import evolve

from trio_adaptive.config import OPTIONS, Settings
from trio_adaptive.decision.policy import Policy
from trio_adaptive.decision.state import Shadow
from trio_adaptive.decision.targets.named import is_policy, named_policy
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.journal.memory import Memory


def policy_of(settings: Settings, memory: Memory) -> Policy:
    """The policy that the settings name, with what is remembered of earlier runs.

    Raises:
        ConfigurationError: there is no such module or class, or it is no policy.
    """
    startup = memory.startup if settings.startup is None else settings.startup
    ours = named_policy(
        settings.policy,
        target_duration=settings.target_duration,
        value_of_time=settings.value_of_time,
        startup_billed=settings.startup_billed,
        startup=startup,
        remembered=memory.remembered,
    )
    return own_policy(settings.policy) if ours is None else ours


def shadows_of(settings: Settings, memory: Memory) -> tuple[Shadow, ...]:
    """Those that only advise.

    Raises:
        ConfigurationError: one of them cannot be made.
    """
    return tuple(Shadow(name, policy_of(evolve(settings, policy=name), memory)) for name in settings.shadow)


def checked_policy(settings: Settings, name: object) -> Settings:
    """The settings with another policy.

    Raises:
        ConfigurationError: it is no name of one.
    """
    if not isinstance(name, str) or not is_policy(name):
        raise ConfigurationError([Mistake("policy", f"is {name!r}", OPTIONS["policy"])])
    return evolve(settings, policy=name)


def own_policy(name: str) -> Policy:
    """An instance of the class ``module:Class``, made without arguments.

    Raises:
        ConfigurationError: there is no such module or class, or it has no method ``advise``.
    """
    module, _, cls = name.partition(":")
    try:
        policy: object = getattr(import_module(module), cls)()
    except Exception as error:
        raise _wrong(name, f"cannot be made: {error!r}") from error
    if not callable(getattr(policy, "advise", None)):
        raise _wrong(name, "has no method advise(view)")
    return cast("Policy", policy)


def _wrong(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError([Mistake("policy", f"{name} {problem}", OPTIONS["policy"])])
