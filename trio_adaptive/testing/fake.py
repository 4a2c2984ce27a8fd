"""A cluster of nothing but names, which does as a test tells it.

It has no clock of its own: what takes time takes the event loop's, so that a virtual clock makes a test of an hour
take a millisecond. It starts no tasks and keeps to the rules of `trio_adaptive.clusters.base`.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from trio_adaptive.clusters.base import Terms, Wake
from trio_adaptive.decision.model import ENDED, Load, Unit, UnitId, UnitState, WorkerName
from trio_adaptive.errors import ClusterError

CallName: TypeAlias = Literal["look", "target", "suggest", "launch", "cancel", "drain"]


@frozen(eq=False)
class Call:
    """One call that a `FakeCluster` has received.

    Attributes:
        at: when it began, on the event loop's clock.
        name: which method.
        units: what it was about, if it was about units.
    """

    at: float
    name: CallName
    units: tuple[UnitId, ...] = ()


@define
class _Member:
    """One unit; ``ready_at`` is when it registers, or fails to."""

    state: UnitState = "requested"
    ready_at: float = math.inf
    ours: bool = True
    spoiled: bool = False
    detail: str = ""


@define(eq=False)
class FakeCluster:
    """A cluster for tests.

    What is configured may be changed at any time, and counts from the next call on.

    Attributes:
        wanted: how many workers its load asks for. To change it and wake the scaler up, use `want`.
        size: workers in a unit.
        accept: how long `launch` takes, in seconds.
        startup: from then until a unit registers, in seconds.
        drain_time: how long a drained unit goes on working, in seconds; until then the drain can be called off.
        stop_time: from then until it is gone, in seconds.
        pushes: whether it tells of changes; without that there is only the interval.
        name: for messages.
        calls: all calls so far, in the order of their beginnings.
        in_flight: the calls that have not ended.
        draining: units that are being drained and can still be called back.
        most: the most units that ever existed at one moment.
    """

    wanted: int = 0
    size: int = field(default=1, kw_only=True)
    accept: float = field(default=0.0, kw_only=True)
    startup: float = field(default=0.0, kw_only=True)
    drain_time: float = field(default=0.0, kw_only=True)
    stop_time: float = field(default=0.0, kw_only=True)
    pushes: bool = field(default=True, kw_only=True)
    name: str = field(default="a fake cluster", kw_only=True)
    calls: list[Call] = field(factory=list[Call], init=False)
    in_flight: list[Call] = field(factory=list[Call], init=False)
    draining: set[UnitId] = field(factory=set[UnitId], init=False)
    most: int = field(default=0, init=False)
    _members: dict[UnitId, _Member] = field(factory=dict[UnitId, _Member], init=False)
    _failures: defaultdict[CallName, deque[Exception]] = field(factory=lambda: defaultdict(deque), init=False)
    _hanging: dict[CallName, anyio.Event] = field(factory=dict[CallName, anyio.Event], init=False)
    _spoil: deque[str] = field(factory=deque[str], init=False)
    _changed: anyio.Event = field(factory=anyio.Event, init=False)

    # What a test tells it

    def want(self, n: int) -> None:
        """There is work for ``n`` workers now; wakes the scaler up."""
        self.wanted = n
        self.push()

    def add(self, *names: str, ours: bool = True) -> None:
        """Let units exist that have registered already; with ``ours=False`` they are strangers to the cluster."""
        for name in names:
            self._members[UnitId(name)] = _Member("registered", ours=ours)
        self._count()

    def fail(self, call: CallName, error: str | Exception, *, times: int = 1) -> None:
        """Let the next calls of a kind raise: a `ClusterError` with this text, or this very exception.

        A drain that is to be refused fails with a `trio_adaptive.errors.DrainRefused`.
        """
        raised = ClusterError(error) if isinstance(error, str) else error
        self._failures[call].extend([raised] * times)

    def fail_starts(self, n: int, detail: str) -> None:
        """Let the next ``n`` units fail when they should register; ``detail`` is what `look` tells of them."""
        self._spoil.extend([detail] * n)

    def hang(self, call: CallName) -> None:
        """Let calls of a kind that begin from now on hang, until they are cancelled or released."""
        self._hanging.setdefault(call, anyio.Event())

    def release(self, call: CallName) -> None:
        """Let the calls go on that hang, and those to come."""
        self._hanging.pop(call).set()

    def kill(self, name: str, detail: str = "killed") -> None:
        """Let a unit die."""
        self._proceed()
        member = self._members[UnitId(name)]
        member.state = "lost" if member.state == "registered" else "failed"
        member.detail = detail
        self.push()

    def push(self) -> None:
        """Tell whoever watches that something has changed."""
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def unit_size(self) -> int:
        return self.size

    # What a test can see

    @property
    def units(self) -> tuple[Unit, ...]:
        """What exists and what has failed, in the order of launching. Asks for the time, so only inside a program."""
        self._proceed()
        return tuple(self._unit(unit, member) for unit, member in self._members.items())

    def ids(self, *states: UnitState) -> list[UnitId]:
        """The units in one of these states, or all that exist, in the order of launching."""
        return [u.id for u in self.units if (u.state in states if states else u.state not in ENDED)]

    def times(self, call: CallName) -> list[float]:
        """When calls of this kind began."""
        return [each.at for each in self.calls if each.name == call]

    # The port

    async def look(self, *, refresh: bool) -> tuple[Unit, ...]:  # noqa: ARG002 - it always knows
        with self._call("look"):
            await self._answer("look")
            return self.units

    async def target(self, target_duration: float) -> Load:  # noqa: ARG002 - the test says what is wanted
        with self._call("target"):
            await self._answer("target")
            return Load(self.wanted, "the test wants it")

    async def suggest(self, target: int, options: dict[str, Any]) -> Sequence[WorkerName]:  # noqa: ARG002
        with self._call("suggest"):
            await self._answer("suggest")
            here = [u for u in self.units if u.state == "registered" and u.id not in self.draining]
            workers = [name for unit in reversed(here) for name in unit.workers]
            return workers[: max(0, len(workers) - target)]

    async def launch(self, units: Sequence[UnitId]) -> None:
        with self._call("launch", units):
            again = [unit for unit in units if unit in self._members]
            if again:
                raise ValueError(f"launched a second time: {', '.join(again)}")
            self._members.update({unit: _Member() for unit in units})
            self._count()
            try:
                await self._answer("launch")
                await anyio.sleep(self.accept)
            except BaseException:
                self._forget(units)
                raise
            self._accept(units)

    async def cancel(self, units: Sequence[UnitId]) -> None:
        with self._call("cancel", units):
            await self._answer("cancel")
            here = [unit for unit in self.units if unit.id in units]
            kept = [unit.id for unit in here if unit.state == "registered"]
            self._forget([unit.id for unit in here if unit.id not in kept])
            if kept:
                raise ClusterError(f"registered meanwhile, and so not cancelled: {', '.join(kept)}")

    async def drain(self, unit: UnitId, terms: Terms) -> None:
        with self._call("drain", (unit,)):
            if unit in self._members:
                self.draining.add(unit)
            try:
                await self._answer("drain")
                await anyio.sleep(self.drain_time)
            finally:
                self.draining.discard(unit)
            terms.commit()
            if unit in self._members:
                self._members[unit].state = "leaving"
            try:
                await anyio.sleep(self.stop_time)
            finally:
                self._forget((unit,))

    async def watch(self, wake: Wake) -> None:
        while True:
            changed = self._changed
            self._proceed()
            coming = [m.ready_at for m in self._members.values() if m.state == "requested"]
            with anyio.CancelScope(deadline=min(coming, default=math.inf)):
                await changed.wait()
            if self.pushes:
                wake()

    @contextmanager
    def _call(self, name: CallName, units: Sequence[UnitId] = ()) -> Generator[None]:
        call = Call(anyio.current_time(), name, tuple(units))
        self.calls.append(call)
        self.in_flight.append(call)
        try:
            yield
        finally:
            self.in_flight.remove(call)

    async def _answer(self, call: CallName) -> None:
        await anyio.lowlevel.checkpoint()
        if call in self._hanging:
            await self._hanging[call].wait()
        if self._failures[call]:
            raise self._failures[call].popleft()

    def _accept(self, units: Sequence[UnitId]) -> None:
        ready_at = anyio.current_time() + self.startup
        for member in (self._members[unit] for unit in units if unit in self._members):
            member.ready_at = ready_at
            if self._spoil:
                member.spoiled = True
                member.detail = self._spoil.popleft()
        self.push()

    def _proceed(self) -> None:
        """Let time have its effects."""
        now = anyio.current_time()
        for member in self._members.values():
            if member.state == "requested" and member.ready_at <= now:
                member.state = "failed" if member.spoiled else "registered"

    def _forget(self, units: Sequence[UnitId]) -> None:
        for unit in units:
            self._members.pop(unit, None)
        self.push()

    def _count(self) -> None:
        self.most = max(self.most, sum(member.state not in ENDED for member in self._members.values()))

    def _unit(self, unit: UnitId, member: _Member) -> Unit:
        numbers = [""] if self.size == 1 else [f"-{number}" for number in range(self.size)]
        workers = tuple(WorkerName(f"{unit}{number}") for number in numbers)
        detail = member.detail if member.state in ENDED else ""
        return Unit(unit, member.state, workers, self.size, ours=member.ours, detail=detail)
