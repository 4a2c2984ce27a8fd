"""The rules of `trio_adaptive.clusters.base`, as a check that anybody can run over an adapter.

Each rule is a function of the table at the end and gets a fresh cluster. A rule sees the cluster through its port only,
so that it knows nothing of processes, schedulers or names but what `look` tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, TypeAlias

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from trio_adaptive.clusters import check_scalable, opened
from trio_adaptive.clusters.base import Terms
from trio_adaptive.decision.model import ENDED, Load, Unit, UnitId, UnitState
from trio_adaptive.errors import ClusterError

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a fresh, empty cluster; closes it again, with all that is left in it."""

POLL: Final = 0.02
"""Time between two looks for something that is to happen, in seconds."""

STEPS: Final = 4
"""A call is cancelled before its first checkpoint and after each of the first so many."""


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
                    error = await _broken(rule, _Subject(port), timeout)
            if error is not None:
                broken.append(error)
    if broken:
        raise ConformanceError(broken) from ExceptionGroup("broken rules", broken)


@define
class _Subject:
    """The cluster under examination.

    Attributes:
        port: the cluster, which is not believed to be what it says.
        doing: what is being waited for, in words.
        named: every unit that has been launched.
    """

    port: Any
    doing: str = "nothing"
    named: list[UnitId] = field(factory=list[UnitId])
    _numbers: Iterable[int] = field(factory=itertools.count)

    def names(self, n: int) -> list[UnitId]:
        """Names for new units."""
        fresh = [UnitId(f"conformance-{number}") for number in itertools.islice(self._numbers, n)]
        self.named += fresh
        return fresh

    async def look(self) -> dict[UnitId, Unit]:
        """The cluster's own units, without those that have ended."""
        self.doing = "look()"
        units = await self.port.look(refresh=True)
        return {unit.id: unit for unit in units if unit.ours and unit.state not in ENDED}

    async def until(self, test: Callable[[dict[UnitId, Unit]], bool], doing: str) -> dict[UnitId, Unit]:
        """Look until the test holds."""
        while True:
            units = await self.look()
            if test(units):
                return units
            self.doing = doing
            await anyio.sleep(POLL)

    async def registered(self, n: int) -> list[UnitId]:
        """Launch ``n`` units and wait until they work."""
        fresh = self.names(n)
        self.doing = "launch()"
        await self.port.launch(fresh)
        await self.until(lambda units: _complete(units, fresh), f"all workers of {n} units to register")
        return fresh

    async def drain(self, unit: UnitId) -> None:
        """Drain a unit for good."""
        terms = Terms()
        self.doing = "drain()"
        await self.port.drain(unit, terms)
        _must(terms.committed, "drain() returned without having called commit()")

    async def give_back(self) -> None:
        """Cancel and drain whatever there is."""
        while units := await self.look():
            waiting = [unit.id for unit in units.values() if unit.state in {"planned", "requested"}]
            self.doing = "cancel()"
            with suppress(ClusterError):  # registered meanwhile: the next round drains it
                await self.port.cancel(waiting)
            for unit in units.values():
                if unit.state == "registered":
                    await self.drain(unit.id)
            self.doing = "everything to be gone"
            await anyio.sleep(POLL)


def _must(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def _all(units: dict[UnitId, Unit], names: Iterable[UnitId], state: UnitState) -> bool:
    return all(name in units and units[name].state == state for name in names)


def _complete(units: dict[UnitId, Unit], names: Sequence[UnitId]) -> bool:
    return _all(units, names, "registered") and all(len(units[n].workers) >= units[n].size for n in names)


def _list(units: Iterable[object]) -> str:
    return ", ".join(map(str, units)) or "nothing"


@frozen
class _Rule:
    """One rule; ``recalls`` says that it needs drains that can be called off."""

    words: str
    check: Callable[[_Subject], Awaitable[None]]
    recalls: bool = False


async def _broken(rule: _Rule, subject: _Subject, timeout: float) -> BrokenRule | None:  # noqa: ASYNC109
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


async def _has_a_name(subject: _Subject) -> None:
    name = subject.port.name
    _must(isinstance(name, str) and name, f"it is {name!r}")


async def _target(subject: _Subject) -> None:
    for target_duration in (0.1, 5.0, 1e6):
        load = await subject.port.target(target_duration)
        _must(isinstance(load, Load), f"it is {load!r}")
        _must(type(load.target) is int and load.target >= 0, f"it is {load.target!r}")


async def _looking(subject: _Subject) -> None:
    _must(not await subject.look(), "a fresh cluster is not empty")
    await subject.registered(2)
    first, second = await subject.port.look(refresh=True), await subject.port.look(refresh=True)
    _must(isinstance(first, tuple), f"it is no tuple: {first!r}")
    _must(first == second, f"{_list(first)} became {_list(second)}")
    quick = await subject.port.look(refresh=False)
    ids = [unit.id for unit in first]
    _must(sorted(u.id for u in quick) == sorted(ids), f"refresh=False tells of {_list(quick)}")
    _must(len(ids) == len(set(ids)), f"the same name stands for two units in {_list(ids)}")
    workers = [name for unit in first for name in unit.workers]
    _must(len(workers) == len(set(workers)), f"the same worker is in two units: {_list(workers)}")
    _must(all(unit.workers for unit in first), "a registered unit has no workers")


async def _launch_shows(subject: _Subject) -> None:
    fresh = subject.names(1)
    subject.doing = "launch()"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subject.port.launch, fresh)
        for _ in range(2):  # the first may come before the task has taken its first step
            await anyio.lowlevel.checkpoint()
        during = await subject.look()
        _must(during.keys() == set(fresh), f"while {_list(fresh)} are launched there is {_list(during)}")
    after = await subject.look()
    _must(after.keys() == set(fresh), f"after {_list(fresh)} were launched there is {_list(after)}")
    more = await subject.registered(1)
    both = await subject.until(lambda units: _all(units, fresh, "registered"), "the first one to register")
    _must(both.keys() == {*fresh, *more}, f"instead of {_list([*fresh, *more])} there is {_list(both)}")


async def _cancel(subject: _Subject) -> None:
    subject.doing = "cancel() of unknown units"
    await subject.port.cancel([UnitId("conformance-unknown")])
    await subject.port.cancel([])
    fresh = subject.names(2)
    subject.doing = "launch()"
    await subject.port.launch(fresh)
    subject.doing = "cancel()"
    try:
        await subject.port.cancel(fresh[:1])
    except ClusterError:
        # Too fast for us: but then it has to serve.
        await subject.until(lambda units: _all(units, fresh[:1], "registered"), "what was kept to register")
    else:
        await subject.until(lambda units: fresh[0] not in units, "a cancelled unit to be gone")
    await subject.until(lambda units: _all(units, fresh[1:], "registered"), "the other unit to register")


async def _drain(subject: _Subject) -> None:
    one, other = await subject.registered(2)
    await subject.drain(one)
    left = await subject.look()
    _must(one not in left, f"{one} is still among {_list(left.values())}")
    _must(_all(left, [other], "registered"), f"draining {one} left {_list(left.values())}")
    await subject.drain(one)
    _must(_all(await subject.look(), [other], "registered"), f"draining {one} twice took {other} as well")


async def _drain_called_off(subject: _Subject) -> None:
    (unit,) = await subject.registered(1)
    _must(
        not await _drain_cancelled(subject, unit, steps=0),
        "it has committed itself before its first checkpoint",
    )


async def _suggest(subject: _Subject) -> None:
    await subject.registered(2)
    before = await subject.look()
    workers = [name for unit in before.values() for name in unit.workers]
    smallest = min(unit.size for unit in before.values())
    for target in range(len(workers) + 1):
        subject.doing = "suggest()"
        names = await subject.port.suggest(target, {})
        _must(set(names) <= set(workers), f"{_list(names)} of {_list(workers)}")
        _must(len(set(names)) == len(names), f"twice the same in {_list(names)}")
        excess = len(workers) - target
        _must(len(names) <= excess, f"{_list(names)} leave fewer than {target} of {len(workers)}")
        _must(
            names or excess < smallest, f"nothing, though {target} of {len(workers)} idle workers are to stay"
        )
        _must((await subject.look()).keys() == before.keys(), "asking has changed the cluster")


async def _cancelled(call: Callable[..., Awaitable[Any]], *arguments: Any, steps: int) -> None:
    """Call, and cancel the call after some checkpoints. It may fail, but only as a cluster may."""

    async def calling() -> None:
        with suppress(ClusterError):
            await call(*arguments)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calling)
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def _cancelled_at_once(subject: _Subject) -> None:
    port = subject.port
    for steps in range(STEPS + 1):
        subject.doing = f"calls to end that were cancelled after {steps} checkpoints"
        await _cancelled(lambda: port.look(refresh=True), steps=steps)
        await _cancelled(port.target, 5.0, steps=steps)
        await _cancelled(port.suggest, 0, {}, steps=steps)
        fresh = subject.names(1)
        await _cancelled(port.launch, fresh, steps=steps)
        await _cancelled(port.cancel, fresh, steps=steps)
        listed = await subject.look()
        _must(
            len(listed) <= len(subject.named), f"after {len(subject.named)} launches there is {_list(listed)}"
        )
    await subject.give_back()


async def _drains_cancelled(subject: _Subject) -> None:
    (unit,) = await subject.registered(1)
    for steps in range(STEPS + 1):
        if await _drain_cancelled(subject, unit, steps):
            await subject.drain(unit)
            (unit,) = await subject.registered(1)
    await subject.give_back()


async def _drain_cancelled(subject: _Subject, unit: UnitId, steps: int) -> bool:
    """Whether it had committed itself, so that the unit need not be there any more."""
    terms = Terms()
    await _cancelled(subject.port.drain, unit, terms, steps=steps)
    left = await subject.look()
    serves = _all(left, [unit], "registered")
    _must(
        terms.committed or serves,
        f"without having committed, after {steps} checkpoints, it left {_list(left.values())}",
    )
    return terms.committed


async def _watch(subject: _Subject) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watching, subject)
        await subject.registered(1)
        await subject.give_back()
        subject.doing = "watch() to end when it is cancelled"
        tasks.cancel_scope.cancel()


async def _watching(subject: _Subject) -> None:
    await subject.port.watch(lambda: None)
    raise AssertionError("watch() has returned")


async def _gives_back(subject: _Subject) -> None:
    waiting = subject.names(1)
    await subject.registered(1)
    await subject.port.launch(waiting)
    await subject.give_back()
    again = subject.names(1)
    await subject.port.launch(again)
    left = await subject.look()
    _must(left.keys() == set(again), f"after everything was given back and 1 launched there is {_list(left)}")


RULES: Final = (
    _Rule("it has a name", _has_a_name),
    _Rule("target() is a whole number, at least 0", _target),
    _Rule("look() tells the same again while nothing changes", _looking),
    _Rule("launched units are listed at once, under the names that they were given", _launch_shows),
    _Rule("cancel() ends units that have not registered, and takes unknown ones", _cancel),
    _Rule("drain() commits itself, and the unit is gone when it returns", _drain),
    _Rule("drain() can be called off before it has committed itself", _drain_called_off, recalls=True),
    _Rule("suggest() names workers that are there, and leaves as many as are to stay", _suggest),
    _Rule("calls that are cancelled leave it consistent", _cancelled_at_once),
    _Rule("drains that are cancelled leave the unit in service or let it go", _drains_cancelled),
    _Rule("watch() runs until it is cancelled", _watch),
    _Rule("everything can be given back, and launched anew", _gives_back),
)
"""All rules, the simple ones first."""
