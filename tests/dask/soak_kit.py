"""A user who asks for anything and an operator who changes their mind, both by chance, on a cluster that is adapted.

Everything that either does follows from a seed, what comes of it also from the machine: a seed makes a failure likely
again, not certain.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import dask
import distributed
from attrs import define, field, frozen
from real_dask import LIMIT, either_way

from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.decision.model import Drain, Launch, SetLimits

MOST = 5
"""Workers at the most."""

UNFINISHED = 100
"""So many tasks may be waiting before the user asks for more."""

FORBIDDEN = ["register_scheduler_plugin"]
"""What a scheduler forbids that will have no probe."""


@frozen
class Scenery:
    """What kind of cluster it is, and how its scheduler is set up.

    Attributes:
        processes: whether the workers are processes; otherwise they are threads of this one.
        probe: whether the scheduler lets a probe in.
        saturation: ``worker-saturation``.
        stealing: whether the scheduler steals.
        memory_manager: whether its active memory manager runs.
    """

    processes: bool
    probe: bool
    saturation: float | str
    stealing: bool
    memory_manager: bool

    @property
    def options(self):
        """In Dask's words."""
        prefix = "distributed.scheduler"
        return {
            f"{prefix}.worker-saturation": self.saturation,
            f"{prefix}.work-stealing": self.stealing,
            f"{prefix}.active-memory-manager.start": self.memory_manager,
            f"{prefix}.blocked-handlers": [] if self.probe else FORBIDDEN,
        }

    @property
    def environment(self):
        """The same for another process."""
        names = {key: f"DASK_{key.upper().replace('-', '_').replace('.', '__')}" for key in self.options}
        return os.environ | {names[key]: str(value) for key, value in self.options.items()}

    @asynccontextmanager
    async def opened(self):
        """The cluster, without workers, and its scheduler's address."""
        if self.processes:
            template = WorkerTemplate(worker_command(more=("--resources", "slot=1")))
            async with (
                embedded_scheduler(dashboard_address=None, env=self.environment) as scheduler,
                command_cluster(scheduler.address, either_way(template)) as cluster,
            ):
                yield cluster, scheduler.address
            return
        # Read by the scheduler while it starts, except for what is read later on.
        with dask.config.set(self.options):
            cluster = await anyio.to_thread.run_sync(
                partial(
                    distributed.LocalCluster,
                    n_workers=0,
                    threads_per_worker=1,
                    processes=False,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                    resources={"slot": 1},
                )
            )
            try:
                yield cluster, cluster.scheduler_address
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(cluster.close)


def any_scenery(chance, *, processes, probe):
    """One of them all."""
    return Scenery(
        processes, probe, chance.choice([1.1, "inf"]), chance.random() < 0.5, chance.random() < 0.5
    )


@define
class Wanted:
    """What has been asked for.

    Attributes:
        results: task -> what it is to result in.
        futures: task -> where it is to come.
        data: what was scattered, and what it was.
        strict: task -> the name of the only worker that may run it.
        actors: how many there have been.
    """

    results: dict = field(factory=dict)
    futures: dict = field(factory=dict)
    data: list = field(factory=list)
    strict: dict = field(factory=dict)
    actors: int = 0


class User:
    """Asks for tasks of all kinds."""

    def __init__(self, chance, client, counting):
        self._chance = chance
        self._client = client
        self._work = counting.task()
        self._after = _after(counting.task())
        self._seceding = _seceding(counting.task())
        self.wanted = Wanted()

    async def run(self):
        """Until cancelled; what is under way is brought to its end."""
        kinds = {
            self.burst: 6, self.tree: 3, self.data: 3, self.preferring: 2, self.confined: 2,
            self.slotted: 2, self.seceding: 1, self.actor: 1,
        }  # fmt: skip
        while True:
            await anyio.sleep(self._chance.uniform(0, 0.25))
            while sum(not future.done() for future in self.wanted.futures.values()) > UNFINISHED:
                await anyio.sleep(0.05)
            [kind] = self._chance.choices(list(kinds), list(kinds.values()))
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(kind)

    def burst(self):
        for _ in range(self._chance.choice([1, 3, 10, 30])):
            self._submit(self._work)

    def tree(self):
        """Three that depend on each other and on what there is already."""
        before = [*self.wanted.futures.values()][-20:]
        inputs = self._chance.sample(before, min(2, len(before)))
        leaves = [self._submit(self._after, *inputs) for _ in range(self._chance.randint(1, 6))]
        self._submit(self._after, *leaves)

    def data(self):
        values = [self._chance.randbytes(self._chance.choice([10, 1000, 200_000])) for _ in range(3)]
        if not self._client.scheduler_info()["workers"]:  # it would wait for one
            return
        futures = self._client.scatter(values, hash=False, broadcast=self._chance.random() < 0.1)
        self.wanted.data += zip(futures, values, strict=True)
        self._submit(self._after, *futures)

    def preferring(self):
        """Tasks for one worker, which others may do as well."""
        for address in self._some_worker():
            for _ in range(self._chance.randint(1, 8)):
                self._submit(self._work, workers=[address], allow_other_workers=True)

    def confined(self):
        """A task for one worker and no other one."""
        for address in self._some_worker():
            self.wanted.strict[self._submit(self._work, workers=[address]).key] = address

    def slotted(self):
        for _ in range(self._chance.randint(1, 5)):
            self._submit(self._work, resources={"slot": 1})

    def seceding(self):
        self._submit(self._seceding)

    def actor(self):
        """One that counts, for a moment."""
        with self._client.as_current():
            future = self._client.submit(_actor(), actor=True, pure=False)
            counter = future.result(timeout=LIMIT)
            for i in range(self._chance.randint(1, 5)):
                assert counter.add().result(timeout=LIMIT) == i + 1
                time.sleep(self._chance.uniform(0, 0.1))
        self.wanted.actors += 1

    def _some_worker(self):
        workers = sorted(self._client.scheduler_info(n_workers=-1)["workers"])
        return self._chance.sample(workers, min(1, len(workers)))

    def _submit(self, function, *inputs, **more):
        name = f"t{len(self.wanted.results)}"
        seconds = min(0.3, self._chance.expovariate(30))
        future = self._client.submit(function, name, seconds, *inputs, key=name, **more)
        self.wanted.results[name], self.wanted.futures[name] = name, future
        return future


def _after(work):
    def task(key, seconds, *_):
        return work(key, seconds)

    return task


def _seceding(work):
    def task(key, seconds):
        distributed.secede()
        return work(key, seconds)

    return task


def _actor():
    class Counter:
        n = 0

        def add(self):
            self.n += 1
            return self.n

    return Counter


class Operator:
    """Changes the limits, holds, requests, and takes it all back."""

    def __init__(self, chance, scaler, patience):
        """``patience`` is how long new workers may take before the next change, in seconds."""
        self._chance = chance
        self._scaler = scaler
        self._patience = patience

    async def run(self):
        """Until cancelled."""
        acts = [self.limit, self.limit, self.twitch, self.twitch, self.hold, self.let_go, self.request]
        while True:
            with anyio.move_on_after(self._patience * self._chance.random()):
                await self._scaler.wait_for(self._chance.randint(2, MOST))
            await self._chance.choice(acts)()
            await anyio.sleep(self._chance.choice([0, 0.02, 0.2, 0.5]))

    async def limit(self):
        low, high = sorted(self._chance.choices(range(MOST + 1), k=2))
        self._scaler.set_limits(minimum=low, maximum=max(1, high))

    async def twitch(self):
        """Down, and up again while the workers are on their way out."""
        self._scaler.set_limits(minimum=0, maximum=1)
        await anyio.sleep(self._chance.uniform(0, 0.3))
        self._scaler.set_limits(minimum=self._chance.randint(2, MOST), maximum=MOST)

    async def hold(self):
        self._scaler.hold(self._chance.randint(0, MOST), for_=self._chance.uniform(0, 1))

    async def let_go(self):
        self._scaler.hold(None)

    async def request(self):
        self._scaler.request(self._chance.randint(1, MOST), for_=self._chance.uniform(0, 1))


@define
class Watcher:
    """Holds the decisions of a history against the limits that were in force.

    Attributes:
        drains: how the drains ended: word -> how many.
        wrong: what was decided against the limits.
    """

    low: int
    high: int
    drains: dict = field(factory=dict)
    wrong: list = field(factory=list)

    def see(self, record):
        if isinstance(record.command, SetLimits):
            self.low, self.high = record.command.minimum, record.command.maximum
        if record.outcome is not None and record.outcome.action == "drain":
            how = record.outcome.result
            self.drains[how] = self.drains.get(how, 0) + 1
        if record.decision is not None:
            self._check(record.decision)

    def _check(self, decision):
        launched = sum(len(action.units) for action in decision.actions if isinstance(action, Launch))
        drained = sum(len(action.units) for action in decision.actions if isinstance(action, Drain))
        within = self.low <= decision.final <= self.high
        if launched and decision.active + launched > self.high:
            within = False
        if drained and decision.active - drained < self.low:
            within = False
        if not within:
            self.wrong.append((self.low, self.high, decision))
