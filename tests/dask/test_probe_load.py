"""The load as the probe tells it: each figure in the situation that makes it, on a scheduler and workers on this loop.

They share the process, so that a task waits for an event of the test's, and what is told can be held against the
scheduler's own state.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from dask import config
from distributed import Client, Scheduler, Worker, secede
from distributed.core import Status
from distributed.diagnostics.plugin import SchedulerPlugin

from trio_adaptive.dask.probe.classes import LISTED, Classes
from trio_adaptive.dask.probe.facts import ROW
from trio_adaptive.dask.probe.fences import Fences
from trio_adaptive.dask.probe.load import LoadFacts
from trio_adaptive.dask.probe.plugin import Probe
from trio_adaptive.dask.probe.uninvited import Uninvited

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

LIMIT = 30.0  # seconds, for a machine with much else to do

gates: dict[str, threading.Event] = {}


@pytest.fixture
def anyio_backend():
    """The scheduler lives on the test's own loop, and knows asyncio only."""
    return "asyncio"


@pytest.fixture
def gate():
    """What tasks wait for; a name, since they find it by that."""
    name = f"gate {len(gates)}"
    gates[name] = threading.Event()
    return name


def gated(name, *_):
    gates[name].wait(LIMIT)
    return name


def seceded(name):
    secede()
    gates[name].wait(LIMIT)


def busy(seconds, *_):
    time.sleep(seconds)
    return b"x" * 1000


class Actor:
    pass


class Hooked(Probe):
    """The load side of the probe: its line is played by a list, and nobody fences."""

    name = "hooked"

    def __init__(self):
        super().__init__("test")
        self.wakes = []

    async def start(self, scheduler):
        self.scheduler = scheduler
        self.lines = self
        self.fences = Fences(scheduler)
        self.uninvited = Uninvited(scheduler, self.fences)
        self.load = LoadFacts(scheduler, self.fences, self)
        self.load.open()

    def wake(self, reason):
        self.wakes.append(reason)

    def hang_up(self):
        """Nobody listens."""


class World:
    """A scheduler with what it is asked, and workers on demand."""

    def __init__(self, scheduler, hooked, client, stack):
        self.scheduler = scheduler
        self.hooked = hooked
        self.client = client
        self.workers = {}
        self._stack = stack

    async def start(self, name, **options):
        worker = Worker(self.scheduler.address, name=name, **{"nthreads": 1, "host": "127.0.0.1", **options})
        self.workers[name] = await self._stack.enter_async_context(worker)
        await self.until(lambda: self.scheduler.workers[worker.address].status == Status.running)
        return worker.address

    @property
    def load(self):
        return self.hooked.load.load()

    @property
    def classes(self):
        return {each.pop("needs"): each for each in self.load["classes"]}

    @property
    def rows(self):
        told = self.hooked.load.load(rows=True)
        return {row[0]: dict(zip(told["columns"], row, strict=True)) for row in told["rows"]}

    @property
    def candidates(self):
        return {each["name"]: each for each in self.hooked.load.candidates()}

    async def until(self, condition):
        """What other threads do shows on this loop by and by."""
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_world(**workers):
    """Everything ends with the block; ``workers`` are options by name."""
    options = {"dashboard": False, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    with config.set({"distributed.admin.system-monitor.interval": "10s"}):
        async with asyncio.timeout(LIMIT), AsyncExitStack() as stack:
            scheduler = await stack.enter_async_context(Scheduler(**options))
            hooked = Hooked()
            await hooked.start(scheduler)
            scheduler.add_plugin(hooked)
            client = Client(scheduler.address, asynchronous=True, set_as_default=False)
            world = World(scheduler, hooked, await stack.enter_async_context(client), stack)
            for name, more in workers.items():
                await world.start(name, **more)
            try:
                yield world
            finally:
                hooked.load.close()
                for gate in gates.values():  # a worker closes when its tasks have ended
                    gate.set()


async def test_without_tasks_all_counts_are_nought_and_workers_are_told_of():
    async with a_world(a={"nthreads": 2, "memory_limit": 10**9, "resources": {"GPU": 1}}) as world:
        address = await world.start(7, memory_limit=10**9)
        nothing = dict.fromkeys(
            (
                *("busy", "processing", "queued", "waiting", "seconds", "stored", "scatters"),
                *("submissions", "submitted", "finished", "finished_seconds"),
            ),
            0,
        )
        assert world.load == {
            "workers": 2,
            "threads": 3,
            "memory_limit": 2 * 10**9,
            "classes": [],
            "groups": [],
            **nothing,
        }
        rows = world.rows
        assert rows.keys() == {"a", "7"}
        assert tuple(rows["7"]) == ROW
        assert rows["7"]["address"] == address
        assert rows["a"]["resources"] == {"GPU": 1}
        assert rows["7"]["status"] == "running"
        assert rows["7"]["process"] > 10**6
        assert 0 <= rows["7"]["idle"] <= rows["a"]["idle"] < LIMIT
        assert all(not each["stays"] and each["idle"] >= 0 for each in world.candidates.values())


async def test_tasks_for_a_resource_are_a_class_and_pin_the_only_worker_that_has_it(gate):
    async with a_world(a={"resources": {"GPU": 1}}, b={}) as world:
        futures = world.client.map(gated, [gate] * 3, resources={"GPU": 1}, pure=False)
        lost = world.client.map(gated, [gate] * 2, resources={"FPGA": 2, "GPU": 1}, pure=False)
        await world.until(lambda: world.load["processing"] == 3 and world.load["waiting"] == 2)
        gpu = {"capable": 1, "waiting": 0, "processing": 3, "busy": 1, "placed": False, "seconds": 1.5}
        none = {"capable": 0, "waiting": 2, "processing": 0, "busy": 0, "placed": False, "seconds": 1.0}
        assert world.classes == {
            "GPU=1": {"resources": {"GPU": 1}, **gpu},
            "FPGA=2 and GPU=1": {"resources": {"FPGA": 2, "GPU": 1}, **none},
        }
        assert world.load["seconds"] == 2.5
        assert world.candidates["a"]["stays"] == "it has work that only it can do"
        assert not world.candidates["b"]["stays"]
        await world.start("c", resources={"GPU": 4})
        assert world.classes["GPU=1"]["capable"] == 2
        assert not world.candidates["a"]["stays"]
        gates[gate].set()
        await world.client.gather(futures)
        del lost
        await world.until(lambda: not world.load["classes"])
        assert not world.hooked.load.classes.tasks


async def test_places_are_named_and_loose_restrictions_are_none(gate):
    async with a_world(a={}, b={}, c={}) as world:
        both = [world.workers[name].address for name in "ba"]
        submit = world.client.submit
        futures = [
            submit(gated, gate, 1, workers=both[:1]),
            submit(gated, gate, 2, workers=both),
            submit(gated, gate, 3, workers="127.0.0.1"),
            submit(gated, gate, 4, workers="192.0.2.1"),
            submit(gated, gate, 5, workers=both, allow_other_workers=True),
        ]
        await world.until(lambda: world.load["processing"] == 4 and world.load["waiting"] == 1)
        capable = {needs: each["capable"] for needs, each in world.classes.items()}
        assert capable == {
            "worker b": 1,
            "one of 2 workers: a, b": 2,
            "host 127.0.0.1": 3,
            "host 192.0.2.1": 0,
        }
        assert all(each["placed"] for each in world.classes.values())
        gates[gate].set()
        await world.client.gather(futures[:3])


async def test_of_very_many_places_the_rest_is_told_together(gate):
    async with a_world(a={}) as world:
        here = world.workers["a"].address
        futures = [
            world.client.submit(gated, gate, n, workers=[here, f"tcp://192.0.2.1:{n + 1}"])
            for n in range(LISTED + 3)
        ]
        futures += [
            world.client.submit(gated, gate, -n, workers=f"tcp://192.0.2.2:{n + 1}") for n in range(1, 5)
        ]
        await world.until(lambda: world.load["processing"] == LISTED + 3 and world.load["waiting"] == 4)
        told = world.load["classes"]
        *listed, able, blocked = told
        assert len(listed) == LISTED
        assert (able["capable"], blocked["capable"]) == (1, 0)
        assert sum(each["waiting"] for each in told) == 4
        assert sum(each["processing"] for each in told) == LISTED + 3
        assert sum(each["seconds"] for each in told) == pytest.approx(0.5 * len(futures))


async def test_queued_tasks_count_as_the_scheduler_counts_them(gate):
    async with a_world(a={}, b={}) as world:
        futures = world.client.map(gated, [gate] * 300, pure=False)
        await world.until(lambda: world.load["processing"] + world.load["queued"] == 300)
        load = world.load
        assert load["queued"] > 200
        assert load["busy"] == 2
        assert load["seconds"] == pytest.approx(150)
        assert {row["idle"] for row in world.rows.values()} == {None}
        assert sum(row["processing"] for row in world.rows.values()) == load["processing"]
        gates[gate].set()
        del futures


async def test_without_any_worker_tasks_count_and_have_no_class(gate):
    async with a_world() as world:
        future = world.client.submit(gated, gate)
        await world.until(lambda: world.load["waiting"] + world.load["queued"] == 1)
        assert world.load["classes"] == []
        assert world.load["seconds"] == 0.5
        del future


async def test_unique_bytes_are_those_that_no_other_worker_has():
    async with a_world(a={}, b={}) as world:
        a = world.workers["a"].address
        held = await world.client.scatter({"shared": b"x" * 5000}, broadcast=True)
        held |= await world.client.scatter({"lonely": b"x" * 3000}, workers=[a])
        candidates, rows = world.candidates, world.rows
        shared = world.scheduler.tasks["shared"].nbytes
        lonely = world.scheduler.tasks["lonely"].nbytes
        assert (candidates["a"]["unique"], candidates["a"]["stored"]) == (lonely, shared + lonely)
        assert (candidates["b"]["unique"], candidates["b"]["stored"]) == (0, shared)
        assert rows["a"]["stored"] == rows["a"]["managed"] == shared + lonely
        assert rows["a"]["spilled"] == 0
        assert world.load["stored"] == 2 * shared + lonely
        del held


async def test_who_shares_too_much_to_be_looked_through_counts_all_its_bytes(monkeypatch):
    async with a_world(a={}, b={}) as world:
        held = await world.client.scatter({"one": b"x" * 5000, "two": b"y" * 5000}, broadcast=True)
        monkeypatch.setattr("trio_adaptive.dask.probe.facts.SHARED_SCANNED", 1)
        candidate = world.candidates["a"]
        assert candidate["unique"] == candidate["stored"] == 10_000
        del held


async def test_an_actor_a_seceded_task_a_plugin_and_a_fence_keep_a_worker(gate):
    async with a_world(actor={}, seceded={}, plugin={}, fenced={}, paused={}, free={}) as world:
        actor = world.client.submit(Actor, actor=True, workers=world.workers["actor"].address)
        await actor
        future = world.client.submit(seceded, gate, workers="seceded", allow_other_workers=True)
        await world.until(lambda: world.rows["seceded"]["long_running"] == 1)

        class Needs(SchedulerPlugin):
            name = "needs"

            def valid_workers_downscaling(self, scheduler, workers):
                return [ws for ws in workers if ws.name != "plugin"]

        world.scheduler.add_plugin(Needs())
        world.hooked.fences.fenced[world.workers["fenced"].address] = object()
        paused = world.scheduler.workers[world.workers["paused"].address]
        world.scheduler.handle_worker_status_change(Status.paused, paused, "test")
        assert world.rows["actor"]["actors"] == 1
        assert {name: each["stays"] for name, each in world.candidates.items()} == {
            "actor": "it holds an actor",
            "seceded": "a task on it has seceded or uses a worker_client",
            "plugin": "Needs needs it",
            "fenced": "it is leaving already",
            "paused": "",
            "free": "",
        }
        world.scheduler.handle_worker_status_change(Status.closing_gracefully, paused, "test")
        assert world.candidates["paused"]["stays"] == "it is closing_gracefully"
        gates[gate].set()
        await future
        del actor


async def test_idle_is_counted_from_the_end_of_the_last_task(gate):
    async with a_world(a={}) as world:
        await asyncio.sleep(0.1)
        future = world.client.submit(gated, gate)
        await world.until(lambda: world.rows["a"]["idle"] is None)
        assert world.candidates["a"]["idle"] is None
        begun = time.monotonic()
        gates[gate].set()
        await future
        assert world.rows["a"]["idle"] <= time.monotonic() - begun
        await world.until(lambda: "idle" in world.hooked.wakes)


async def test_idle_is_counted_also_when_a_task_is_taken_back(gate):
    async with a_world(a={}) as world:
        await asyncio.sleep(0.1)
        future = world.client.submit(gated, gate)
        await world.until(lambda: world.load["processing"] == 1)
        begun = time.monotonic()
        await future.cancel()
        await world.until(lambda: "idle" in world.hooked.wakes)
        assert 0 <= world.rows["a"]["idle"] <= time.monotonic() - begun


async def test_who_gets_the_next_task_at_once_wakes_nobody():
    async with a_world(a={}) as world:
        before = None
        for n in range(5):
            before = world.client.submit(lambda before, n: n, before, n)
        await before
        await world.until(lambda: "idle" in world.hooked.wakes)
        assert world.hooked.wakes.count("idle") == 1


async def test_what_was_there_before_the_probe_is_taken_over(gate):
    async with a_world(a={"resources": {"GPU": 1}}, b={}) as world:
        submit = world.client.submit
        futures = [submit(gated, gate, n, resources={name: 1}) for n, name in enumerate(("GPU", "FPGA"))]
        await world.until(lambda: world.load["processing"] == 1 and world.load["waiting"] == 1)
        late = Hooked()
        await late.start(world.scheduler)
        assert late.load.classes.tasks == world.hooked.load.classes.tasks
        assert late.load.load()["seconds"] == world.load["seconds"] == 1.0
        idle = {row[0]: row[ROW.index("idle")] for row in late.load.load(rows=True)["rows"]}
        assert idle["a"] is None
        assert 0 <= idle["b"] < LIMIT
        late.load.close()
        gates[gate].set()
        del futures


async def test_scattering_without_workers_is_counted_until_one_has_come():
    async with a_world() as world:
        stock = world.hooked.load._scatter
        scattering = asyncio.ensure_future(world.client.scatter({"x": 1}))
        await world.until(lambda: world.load["scatters"] == 1)
        assert "scatter" in world.hooked.wakes
        await world.start("a")
        assert world.load["scatters"] == 0
        await scattering
        assert world.hooked.load._scatters == 0
        world.hooked.load.close()
        assert world.scheduler.handlers["scatter"] == stock


async def test_stolen_tasks_count_for_the_thief(gate):
    with config.set({"distributed.scheduler.work-stealing-interval": "20ms"}):
        async with a_world(a={"resources": {"GPU": 1}}) as world:
            futures = world.client.map(gated, [gate] * 10, resources={"GPU": 1}, pure=False)
            await world.until(lambda: world.load["processing"] == 10)
            await world.start("b", resources={"GPU": 1})
            await world.until(lambda: world.classes["GPU=1"]["busy"] == 2)
            assert_as_scanned(world)
            gates[gate].set()
            await world.client.gather(futures)
            assert not world.load["classes"]


async def test_random_work_is_counted_as_a_fresh_look_would(gate):
    dice = random.Random(7)
    restrictions = [
        {},
        {"resources": {"GPU": 1}},
        {"resources": {"FPGA": 1}},
        {"workers": ["a", "b"]},
        {"workers": ["c"], "resources": {"GPU": 1}},
        {"workers": ["gone"], "allow_other_workers": True},
    ]
    with config.set({"distributed.scheduler.work-stealing-interval": "20ms"}):
        async with a_world(a={"resources": {"GPU": 2}}, b={}, c={"resources": {"GPU": 1}}) as world:
            futures = []
            for n in range(60):
                options = dice.choice(restrictions)
                inputs = (
                    [dice.choice(futures)] if futures and dice.random() < 0.3 else [0.001 * dice.random()]
                )
                function = busy if isinstance(inputs[0], float) else len
                futures += [world.client.submit(function, *inputs, pure=False, **options) for _ in range(5)]
                await disturb(world, dice, futures, n)
                assert_as_scanned(world)
            unrunnable = world.scheduler.unrunnable
            await world.until(
                lambda: (
                    not world.load["processing"]
                    and all((ts.resource_restrictions or {}).get("FPGA") for ts in unrunnable)
                )
            )
            assert_as_scanned(world)
            assert world.classes.keys() <= {"FPGA=1"}
            await world.client.cancel(futures)
            await world.until(lambda: not world.scheduler.tasks)
            assert not world.load["classes"]
            assert not world.hooked.load.classes.tasks


async def disturb(world, dice, futures, n):
    """Now and then something happens that is no end of a task."""
    if dice.random() < 0.3:
        await world.client.cancel([futures.pop(dice.randrange(len(futures))) for _ in range(3)])
    if n in {20, 40}:
        await world.workers["b"].close()
        assert_as_scanned(world)
        await world.start("b")
    if n in {10, 50}:
        ws = world.scheduler.workers[world.workers["c"].address]
        for status in (Status.closing_gracefully, Status.running):
            world.scheduler.handle_worker_status_change(status, ws, f"test {n}")
            assert_as_scanned(world)
    await asyncio.sleep(0.005 * dice.random())


def assert_as_scanned(world):
    """What was kept as it happened is what a look finds, as soon as nothing is left to be looked at later."""
    facts = world.hooked.load
    fresh = Classes(world.scheduler)
    fresh.take_over()
    assert facts.classes.tasks == fresh.tasks
    key = repr
    assert sorted(facts.classes.listed(), key=key) == sorted(fresh.listed(), key=key)
    facts._look()
    assert facts._idle.keys() == {a for a, ws in world.scheduler.workers.items() if not ws.processing}
