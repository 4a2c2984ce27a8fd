"""What every adapter of a cluster keeps: each rule is a function of the table at the end, and gets a fresh cluster.

A rule sees the cluster through its port only, so that it knows nothing of processes, schedulers or names but what
`look` tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import anyio.lowlevel
from attrs import frozen

from trio_adaptive.clusters.base import Terms
from trio_adaptive.decision.model import Load, UnitId
from trio_adaptive.errors import ClusterError
from trio_adaptive.testing.subject import Subject, all_are, listed, must

STEPS: Final = 4
"""A call is cancelled before its first checkpoint and after each of the first so many."""


@frozen
class Rule:
    """One rule; ``recalls`` says that it needs drains that can be called off."""

    words: str
    check: Callable[[Subject], Awaitable[None]]
    recalls: bool = False


async def _has_a_name(subject: Subject) -> None:
    name = subject.port.name
    must(isinstance(name, str) and name, f"it is {name!r}")


async def _target(subject: Subject) -> None:
    for target_duration in (0.1, 5.0, 1e6):
        load = await subject.port.target(target_duration)
        must(isinstance(load, Load), f"it is {load!r}")
        must(type(load.target) is int and load.target >= 0, f"it is {load.target!r}")


async def _looking(subject: Subject) -> None:
    must(not await subject.look(), "a fresh cluster is not empty")
    await subject.registered(2)
    first, second = await subject.port.look(refresh=True), await subject.port.look(refresh=True)
    must(isinstance(first, tuple), f"it is no tuple: {first!r}")
    must(first == second, f"{listed(first)} became {listed(second)}")
    quick = await subject.port.look(refresh=False)
    ids = [unit.id for unit in first]
    must(sorted(u.id for u in quick) == sorted(ids), f"refresh=False tells of {listed(quick)}")
    must(len(ids) == len(set(ids)), f"the same name stands for two units in {listed(ids)}")
    workers = [name for unit in first for name in unit.workers]
    must(len(workers) == len(set(workers)), f"the same worker is in two units: {listed(workers)}")
    must(all(unit.workers for unit in first), "a registered unit has no workers")


async def _launch_shows(subject: Subject) -> None:
    fresh = subject.names(1)
    subject.doing = "launch()"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subject.port.launch, fresh)
        for _ in range(2):  # the first may come before the task has taken its first step
            await anyio.lowlevel.checkpoint()
        during = await subject.look()
        must(during.keys() == set(fresh), f"while {listed(fresh)} are launched there is {listed(during)}")
    after = await subject.look()
    must(after.keys() == set(fresh), f"after {listed(fresh)} were launched there is {listed(after)}")
    more = await subject.registered(1)
    both = await subject.until(lambda units: all_are(units, fresh, "registered"), "the first one to register")
    must(both.keys() == {*fresh, *more}, f"instead of {listed([*fresh, *more])} there is {listed(both)}")


async def _cancel(subject: Subject) -> None:
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
        await subject.until(
            lambda units: all_are(units, fresh[:1], "registered"), "what was kept to register"
        )
    else:
        await subject.until(lambda units: fresh[0] not in units, "a cancelled unit to be gone")
    await subject.until(lambda units: all_are(units, fresh[1:], "registered"), "the other unit to register")


async def _drain(subject: Subject) -> None:
    one, other = await subject.registered(2)
    await subject.drain(one)
    left = await subject.look()
    must(one not in left, f"{one} is still among {listed(left.values())}")
    must(all_are(left, [other], "registered"), f"draining {one} left {listed(left.values())}")
    await subject.drain(one)
    must(all_are(await subject.look(), [other], "registered"), f"draining {one} twice took {other} as well")


async def _drain_called_off(subject: Subject) -> None:
    (unit,) = await subject.registered(1)
    must(
        not await _drain_cancelled(subject, unit, steps=0),
        "it has committed itself before its first checkpoint",
    )


async def _suggest(subject: Subject) -> None:
    await subject.registered(2)
    before = await subject.look()
    workers = [name for unit in before.values() for name in unit.workers]
    smallest = min(unit.size for unit in before.values())
    for target in range(len(workers) + 1):
        subject.doing = "suggest()"
        names = await subject.port.suggest(target, {})
        must(set(names) <= set(workers), f"{listed(names)} of {listed(workers)}")
        must(len(set(names)) == len(names), f"twice the same in {listed(names)}")
        excess = len(workers) - target
        must(len(names) <= excess, f"{listed(names)} leave fewer than {target} of {len(workers)}")
        must(
            names or excess < smallest, f"nothing, though {target} of {len(workers)} idle workers are to stay"
        )
        must((await subject.look()).keys() == before.keys(), "asking has changed the cluster")


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


async def _cancelled_at_once(subject: Subject) -> None:
    port = subject.port
    for steps in range(STEPS + 1):
        subject.doing = f"calls to end that were cancelled after {steps} checkpoints"
        await _cancelled(lambda: port.look(refresh=True), steps=steps)
        await _cancelled(port.target, 5.0, steps=steps)
        await _cancelled(port.suggest, 0, {}, steps=steps)
        fresh = subject.names(1)
        await _cancelled(port.launch, fresh, steps=steps)
        await _cancelled(port.cancel, fresh, steps=steps)
        there = await subject.look()
        must(
            len(there) <= len(subject.named),
            f"after {len(subject.named)} launches there is {listed(there)}",
        )
    await subject.give_back()


async def _drains_cancelled(subject: Subject) -> None:
    (unit,) = await subject.registered(1)
    for steps in range(STEPS + 1):
        if await _drain_cancelled(subject, unit, steps):
            await subject.drain(unit)
            (unit,) = await subject.registered(1)
    await subject.give_back()


async def _drain_cancelled(subject: Subject, unit: UnitId, steps: int) -> bool:
    """Whether it had committed itself, so that the unit need not be there any more."""
    terms = Terms()
    await _cancelled(subject.port.drain, unit, terms, steps=steps)
    left = await subject.look()
    serves = all_are(left, [unit], "registered")
    must(
        terms.committed or serves,
        f"without having committed, after {steps} checkpoints, it left {listed(left.values())}",
    )
    return terms.committed


async def _watch(subject: Subject) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watching, subject)
        await subject.registered(1)
        await subject.give_back()
        subject.doing = "watch() to end when it is cancelled"
        tasks.cancel_scope.cancel()


async def _watching(subject: Subject) -> None:
    await subject.port.watch(lambda: None)
    raise AssertionError("watch() has returned")


async def _gives_back(subject: Subject) -> None:
    waiting = subject.names(1)
    await subject.registered(1)
    await subject.port.launch(waiting)
    await subject.give_back()
    again = subject.names(1)
    await subject.port.launch(again)
    left = await subject.look()
    must(left.keys() == set(again), f"after everything was given back and 1 launched there is {listed(left)}")


RULES: Final = (
    Rule("it has a name", _has_a_name),
    Rule("target() is a whole number, at least 0", _target),
    Rule("look() tells the same again while nothing changes", _looking),
    Rule("launched units are listed at once, under the names that they were given", _launch_shows),
    Rule("cancel() ends units that have not registered, and takes unknown ones", _cancel),
    Rule("drain() commits itself, and the unit is gone when it returns", _drain),
    Rule("drain() can be called off before it has committed itself", _drain_called_off, recalls=True),
    Rule("suggest() names workers that are there, and leaves as many as are to stay", _suggest),
    Rule("calls that are cancelled leave it consistent", _cancelled_at_once),
    Rule("drains that are cancelled leave the unit in service or let it go", _drains_cancelled),
    Rule("watch() runs until it is cancelled", _watch),
    Rule("everything can be given back, and launched anew", _gives_back),
)
"""All rules, the simple ones first."""
