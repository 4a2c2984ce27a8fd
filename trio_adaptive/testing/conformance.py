"""The rules of `trio_adaptive.clusters.base`, as a check that anybody can run over an adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anyio

from trio_adaptive.clusters import check_scalable, opened
from trio_adaptive.errors import ClusterError
from trio_adaptive.testing.rules import RULES, Rule
from trio_adaptive.testing.subject import Subject

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a fresh, empty cluster; closes it again, with all that is left in it."""


class BrokenRule(AssertionError):  # noqa: N818 - says what it is
    """A rule that a cluster does not keep, and what it does instead. The cause, if any, is what it raised."""


class ConformanceError(AssertionError):
    """All the rules that a cluster does not keep, in ``broken``; the cause is the group of them, with tracebacks."""

    def __init__(self, broken: Sequence[BrokenRule]) -> None:
        self.broken = tuple(broken)
        listing = "".join(f"\n  - {error}" for error in broken)
        super().__init__(f"{len(self.broken)} of {len(RULES)} rules are broken:{listing}")


async def check_cluster(opening: Opening, *, recall: bool = True, timeout: float = 60.0) -> None:  # noqa: ASYNC109
    """Check that a cluster can be adapted: that it keeps all the rules of `trio_adaptive.clusters.base`.

    Runs inside a trio or an asyncio program. Launches a few units per rule and waits for them to register, so with real
    machines it takes its time.

    Args:
        opening: called once for each rule; returns an async context manager that gives an empty cluster, as a port or
            as any object that `trio_adaptive.adaptive` takes.
        recall: whether a drain can be called off; an object that just closes workers cannot do that.
        timeout: for one rule, in seconds.

    Raises:
        ConformanceError: naming every broken rule.
        ConfigurationError: it is neither a port nor an object with ``scale(n)`` and ``target()``.
    """
    broken: list[BrokenRule] = []
    for rule in RULES:
        if recall or not rule.recalls:
            async with opening() as cluster:
                check_scalable(cluster, needs_target=True)
                async with opened(cluster) as port:
                    error = await _broken(rule, Subject(port), timeout)
            if error is not None:
                broken.append(error)
    if broken:
        raise ConformanceError(broken) from ExceptionGroup("broken rules", broken)


async def _broken(rule: Rule, subject: Subject, timeout: float) -> BrokenRule | None:  # noqa: ASYNC109
    try:
        with anyio.fail_after(timeout):
            await rule.check(subject)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it breaks the rule
        waited = f"waited {timeout:g} s for {subject.doing}"
        broken = BrokenRule(f"{rule.words}: {_in_words(error, waited)}")
        broken.__cause__ = error
        return broken
    return None


def _in_words(error: BaseException, waited: str) -> str:
    match error:
        case BaseExceptionGroup(exceptions=(single,)):
            return _in_words(single, waited)
        case AssertionError():
            return str(error)
        case TimeoutError() if not isinstance(error, ClusterError):
            return waited
        case _:
            return f"{type(error).__name__}: {error}"
