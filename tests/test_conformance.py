"""Every cluster that can be adapted passes the same check, and the check can fail."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys

import anyio
import distributed
import pytest
from anyio.lowlevel import checkpoint
from tornado.ioloop import IOLoop

from trio_adaptive import Adaptive
from trio_adaptive.clusters.base import Terms
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.plain import PlainCluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.decision.model import Load, UnitId
from trio_adaptive.errors import ClusterError, ConfigurationError
from trio_adaptive.testing import ConformanceError, FakeCluster, check_cluster

pytestmark = pytest.mark.anyio
nothing_left = pytest.mark.usefixtures("nothing_left")
virtual_clock = pytest.mark.parametrize("anyio_backend", ["virtual asyncio", "virtual trio"], indirect=True)
only_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
only_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs")

LIMIT = 60.0  # seconds, for one kind of cluster on a machine with much else to do


def fresh(make):
    """Opens what ``make`` makes; nothing has to be closed."""

    @contextlib.asynccontextmanager
    async def opening():
        yield make()

    return opening


# The fake


SLOW = {"accept": 1, "startup": 30, "drain_time": 20, "stop_time": 3}


@nothing_left
@virtual_clock
@pytest.mark.parametrize("options", [{}, SLOW, {"size": 3, "wanted": 7}, {"pushes": False}])
async def test_the_fake(options):
    await check_cluster(fresh(functools.partial(FakeCluster, **options)), timeout=3600)


# Objects of a user's own


class Counted:
    """Knows how many, and nothing more."""

    n = 0

    def scale(self, n):
        self.n = n

    def target(self):
        return 5


class CountedAsync(Counted):
    async def scale(self, n):
        await checkpoint()
        self.n = n

    async def target(self):
        await checkpoint()
        return 5.0


class Named(Counted):
    """Has workers with names, as numbers, and closes those that it is told to close."""

    def __init__(self):
        self.workers = set()
        self.named = 0

    def scale(self, n):
        while len(self.workers) < n:
            self.workers.add(self.named)
            self.named += 1
        while len(self.workers) > n:
            self.workers.pop()

    def scale_down(self, workers):
        self.workers -= set(workers)

    def workers_to_close(self, target):
        return sorted(self.workers)[: max(0, len(self.workers) - target)]


class NamedAsync(Named):
    async def scale(self, n):
        await checkpoint()
        super().scale(n)
        await checkpoint()

    async def scale_down(self, workers):
        await checkpoint()
        super().scale_down(workers)
        await checkpoint()


class Slow(Named):
    """What it starts is listed long before it says so."""

    async def scale(self, n):
        super().scale(n)
        await anyio.sleep(0.05)


class Chooser(Named):
    """Chooses itself which worker closes."""

    scale_down = None


class ThreeSets(NamedAsync):
    """Its workers are wanted, then asked for, then there: one step further each time somebody looks."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.there = []

    @property
    def plan(self):
        return self.workers

    @property
    def requested(self):
        self.asked = [name for name in self.asked if name in self.plan]
        now = list(self.asked)
        self.asked += [name for name in self.plan if name not in now][:1]
        return now

    @property
    def observed(self):
        self.there = [name for name in self.there if name in self.plan]
        now = list(self.there)
        self.there += [name for name in self.asked if name not in now][:1]
        return now


@nothing_left
@pytest.mark.parametrize("kind", [Counted, CountedAsync, Named, NamedAsync, Slow, Chooser, ThreeSets])
async def test_an_object_with_scale(kind):
    with anyio.fail_after(LIMIT):
        await check_cluster(fresh(kind), recall=False, timeout=LIMIT)


@nothing_left
@pytest.mark.parametrize("kind", [Counted, CountedAsync, Named, NamedAsync])
async def test_an_object_that_cannot_start_more(kind):
    class Full(kind):
        def scale(self, n):
            if n > 2:
                raise RuntimeError("no room")
            return super().scale(n)

    port = PlainCluster(Full())
    with anyio.fail_after(LIMIT):
        await port.launch([UnitId("a"), UnitId("b")])
        with pytest.raises(ClusterError, match=r"scale\(\) of Full raised RuntimeError: no room"):
            await port.launch([UnitId("c")])
        assert [unit.id for unit in await port.look(refresh=True)] == ["a", "b"]
        await port.cancel(["a"])
        await port.launch([UnitId("d")])
        assert [unit.id for unit in await port.look(refresh=True)] == ["b", "d"]


async def test_an_object_that_nobody_can_adapt():
    with pytest.raises(ConfigurationError, match=r"no scale\(n\)"):
        await check_cluster(fresh(object))


# Real clusters


@pytest.fixture
def _forgotten_sockets():
    """Tornado forgets the socket of a connection that is cancelled while it is being made.

    It keeps a loop that has ended, and what belongs to that, until it makes another one; then the socket warns.
    """
    yield
    IOLoop(make_current=False).close()
    gc.collect()


def real_cluster(test):
    test = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")(test)
    return pytest.mark.integration(pytest.mark.usefixtures("_forgotten_sockets")(test))


@real_cluster
@pytest.mark.parametrize("warm", [False, pytest.param(True, marks=linux)], ids=["cold", "warm"])
async def test_worker_processes(warm):
    template = WorkerTemplate(warm=warm)
    with anyio.fail_after(LIMIT):
        async with embedded_scheduler(dashboard_address=None) as scheduler:
            await check_cluster(lambda: command_cluster(scheduler.address, template), timeout=LIMIT)


QUICK = {"n_workers": 0, "dashboard_address": ":0", "threads_per_worker": 1}


@contextlib.asynccontextmanager
async def local_cluster(**options):
    """A ``LocalCluster`` with its loop in a thread, as scripts have it."""
    make = functools.partial(distributed.LocalCluster, **QUICK, **options)
    cluster = await anyio.to_thread.run_sync(make)
    try:
        yield cluster
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(cluster.close)


@real_cluster
@only_trio
@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
async def test_a_local_cluster_in_a_trio_program(processes):
    with anyio.fail_after(LIMIT):
        await check_cluster(functools.partial(local_cluster, processes=processes), timeout=LIMIT)


@real_cluster
@only_asyncio
async def test_a_local_cluster_on_the_loop_of_the_program():
    make = functools.partial(distributed.LocalCluster, **QUICK, processes=False, asynchronous=True)
    with anyio.fail_after(LIMIT):
        await check_cluster(make, timeout=LIMIT)


@pytest.mark.integration
@only_asyncio
async def test_a_cluster_with_a_fixed_list_of_workers_cannot_be_adapted():
    """Such as SSHCluster, whose scale(n) starts nothing, without a word."""
    scheduler = {"cls": distributed.Scheduler, "options": {"port": 0, "dashboard_address": ":0"}}
    with anyio.fail_after(LIMIT):
        async with distributed.SpecCluster({}, scheduler, name="fixed", asynchronous=True) as cluster:
            with pytest.raises(ConfigurationError, match="'fixed' has no specification of new workers"):
                Adaptive(cluster, maximum=3)


# The check finds what is broken


class Nameless(FakeCluster):
    def __init__(self):
        super().__init__(name="")


class Fractional(FakeCluster):
    async def target(self, target_duration):
        await checkpoint()
        return Load(2.5)


class Negative(FakeCluster):
    async def target(self, target_duration):
        await checkpoint()
        return Load(-1)


class Fickle(FakeCluster):
    """Loses sight of a unit at every second look."""

    looks = 0

    async def look(self, *, refresh):
        self.looks += 1
        units = await super().look(refresh=refresh)
        return units if self.looks % 2 else units[1:]


class Late(FakeCluster):
    """Lists its units once they have been accepted."""

    async def launch(self, units):
        await anyio.sleep(1)
        await super().launch(units)


class Renaming(FakeCluster):
    async def launch(self, units):
        await super().launch([f"my-{unit}" for unit in units])


class Doubling(FakeCluster):
    async def launch(self, units):
        await super().launch([*units, *(f"{unit}-again" for unit in units)])


class Picky(FakeCluster):
    """Knows its own units only."""

    async def cancel(self, units):
        await checkpoint()
        if not {unit.id for unit in self.units} >= set(units):
            raise ClusterError("never heard of it")
        await super().cancel(units)


class Forgetful(FakeCluster):
    """Does not cancel."""

    async def cancel(self, units):
        await checkpoint()


class Silent(FakeCluster):
    """Drains without a word."""

    async def drain(self, unit, terms):
        await super().drain(unit, Terms())


class Hasty(FakeCluster):
    """Returns before the unit is gone."""

    async def drain(self, unit, terms):
        await checkpoint()
        terms.commit()


class Greedy(FakeCluster):
    """Drains everything."""

    async def drain(self, unit, terms):
        for each in self.ids():
            await super().drain(each, terms)
        terms.commit()


class Eager(FakeCluster):
    """Commits itself at once."""

    async def drain(self, unit, terms):
        terms.commit()
        await super().drain(unit, terms)


class Killer(FakeCluster):
    """Takes a drain that is called off for a reason to end the unit."""

    async def drain(self, unit, terms):
        try:
            await super().drain(unit, terms)
        except BaseException:
            self._forget([unit])
            raise


class Generous(FakeCluster):
    """Suggests one too many."""

    async def suggest(self, target, options):
        return await super().suggest(max(0, target - 1), options)


class Mute(FakeCluster):
    """Suggests nobody."""

    async def suggest(self, target, options):
        await checkpoint()
        return []


class Dreamer(FakeCluster):
    """Suggests who is not there."""

    async def suggest(self, target, options):
        names = await super().suggest(target, options)
        return [f"{name}?" for name in names]


class Acting(FakeCluster):
    """Takes the question for an order."""

    async def suggest(self, target, options):
        names = await super().suggest(target, options)
        self._forget(names)
        return names


class Confused(FakeCluster):
    """A cancelled launch leaves more than anybody has asked for."""

    async def launch(self, units):
        try:
            await super().launch(units)
        except BaseException:
            self.add(*(f"{unit}-{i}" for unit in units for i in range(2)))
            raise


class Brief(FakeCluster):
    """Tells of one change and then no more."""

    async def watch(self, wake):
        await checkpoint()


class Deaf(FakeCluster):
    """Does not start anything once it has been emptied."""

    emptied = False

    async def launch(self, units):
        await super().launch(units)
        if self.emptied:
            self._forget(units)

    async def drain(self, unit, terms):
        await super().drain(unit, terms)
        self.emptied = not self.ids()


@nothing_left
@virtual_clock
@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (Nameless, "it has a name: it is ''"),
        (Fractional, "target() is a whole number, at least 0: it is 2.5"),
        (Negative, "target() is a whole number, at least 0: it is -1"),
        (Fickle, "look() tells the same again"),
        (Late, "launched units are listed at once, under the names that they were given: while"),
        (Renaming, "launched units are listed at once, under the names that they were given: while"),
        (Doubling, "launched units are listed at once, under the names that they were given: while"),
        (Picky, "cancel() ends units that have not registered, and takes unknown ones: ClusterError: never"),
        (Forgetful, "cancel() ends units that have not registered, and takes unknown ones: waited 20 s"),
        (Silent, "drain() commits itself, and the unit is gone when it returns: drain() returned without"),
        (Hasty, "drain() commits itself, and the unit is gone when it returns: conformance-0 is still among"),
        (Greedy, "drain() commits itself, and the unit is gone when it returns: draining conformance-0 left"),
        (Eager, "drain() can be called off before it has committed itself: it has committed itself"),
        (Killer, "drain() can be called off before it has committed itself: without having committed"),
        (
            Killer,
            "drains that are cancelled leave the unit in service or let it go: without having committed",
        ),
        (Generous, "suggest() names workers that are there, and leaves as many as are to stay:"),
        (Mute, "suggest() names workers that are there, and leaves as many as are to stay: nothing"),
        (Dreamer, "suggest() names workers that are there, and leaves as many as are to stay:"),
        (Acting, "suggest() names workers that are there, and leaves as many as are to stay: asking has"),
        (Confused, "calls that are cancelled leave it consistent: "),
        (Brief, "watch() runs until it is cancelled: "),
        (Deaf, "everything can be given back, and launched anew: after everything was given back"),
    ],
)
async def test_a_broken_rule_is_named(kind, rule):
    options = {} if kind is Nameless else {"startup": 1}
    with pytest.raises(ConformanceError, match=r"of 12 rules are broken") as caught:
        await check_cluster(fresh(functools.partial(kind, **options)), timeout=20)
    assert any(str(each).startswith(rule) for each in caught.value.broken), caught.value
    assert caught.value.__cause__.exceptions == caught.value.broken
    assert f"  - {rule}" in str(caught.value)


@virtual_clock
async def test_what_cannot_be_recalled_is_not_asked_to():
    await check_cluster(fresh(Eager), recall=False, timeout=20)
