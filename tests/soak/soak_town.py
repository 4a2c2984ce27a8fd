"""Who lives in the soak: users with random work, one who lets things go wrong, and one who weighs the process."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median

import anyio
import anyio.to_thread
from attrs import define, field
from leftovers import descriptors

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from bad_calls import answers_late, half, hangs, once, raises, starts_and_says_no

CALLS = {
    "the next launch is refused": ("launch", raises),
    "the next launch hangs": ("launch", hangs),
    "the next launch is answered late": ("launch", answers_late),
    "the next launch starts them, and fails": ("launch", starts_and_says_no),
    "the next launch starts half of them": ("launch", half),
    "the next look hangs": ("look", hangs),
    "the next drain hangs": ("drain", hangs),
}
"""Calls of the cluster that go wrong, and how."""


@define
class User:
    """Asks for work, and looks at each result."""

    chance: random.Random
    client: object
    done: int = 0
    enough: bool = False
    ended: bool = False

    async def run(self) -> None:
        while not self.enough:
            numbers = [self.chance.randrange(10**6) for _ in range(self.chance.randint(1, 40))]
            seconds = [min(0.5, self.chance.expovariate(10)) for _ in numbers]
            batch = partial(self._batch, numbers, seconds)
            assert await anyio.to_thread.run_sync(batch, abandon_on_cancel=True) == [n + 1 for n in numbers]
            self.done += len(numbers)
            await anyio.sleep(self.chance.uniform(0, 1.5))
        self.ended = True

    def _batch(self, numbers, seconds):
        def work(number, duration):
            time.sleep(duration)
            return number + 1

        return self.client.gather(self.client.map(work, numbers, seconds, pure=False))


@define
class Trouble:
    """Lets something go wrong every now and then; what does not come about is not counted.

    Attributes:
        chance: decides what and when.
        cluster: whose workers and calls it is done to.
        scheduler: the scheduler's process.
        proxy: through which the scaler and the workers reach the scheduler.
        next_start: a file that says what the next worker does.
        happened: how often each thing did.
    """

    chance: random.Random
    cluster: object
    scheduler: int
    proxy: object
    next_start: Path
    happened: Counter = field(factory=Counter)

    async def run(self) -> None:
        kinds = {
            "a worker is killed (SIGKILL)": self._kill,
            "a worker freezes (SIGSTOP) for up to 3 s": self._freeze_worker,
            "the scheduler freezes (SIGSTOP) for up to 3 s": self._freeze_scheduler,
            "all connections are cut": self._cut,
            "the next worker exits at once": partial(self._next_start, "exit"),
            "the next worker never registers": partial(self._next_start, "hang"),
            "the next worker registers under another name": partial(self._next_start, "name"),
            **{name: partial(self._next_call, name, *call) for name, call in CALLS.items()},
        }
        while True:
            await anyio.sleep(self.chance.uniform(0.5, 4))
            name, let_it = self.chance.choice([*kinds.items()])
            with anyio.CancelScope(shield=True):
                self.happened[name] += bool(await let_it())

    async def _next_call(self, name, method, instead) -> bool:
        async def call(*arguments, **options):
            self.happened[name] += 1
            return await instead(*arguments, **options)

        if method not in vars(self.cluster):  # else the one before has not been called yet
            once(self.cluster, method, call)
        return False

    async def _next_start(self, mode) -> bool:
        self.next_start.write_text(mode)
        return True

    async def _cut(self) -> bool:
        self.proxy.cut()
        return True

    async def _kill(self) -> bool:
        return any(_send(pid, signal.SIGKILL) for pid in self._some())

    async def _freeze_worker(self) -> bool:
        for pid in self._some():
            return await self._freeze(pid)
        return False

    async def _freeze_scheduler(self) -> bool:
        return await self._freeze(self.scheduler)

    async def _freeze(self, pid: int) -> bool:
        if not _send(pid, signal.SIGSTOP):
            return False
        await anyio.sleep(self.chance.uniform(0, 3))
        _send(pid, signal.SIGCONT)
        return True

    def _some(self) -> list[int]:
        pids = sorted(self.cluster.pids.values())
        return [self.chance.choice(pids)] if pids else []


def _send(pid: int, signal_number: int) -> bool:
    """Whether the process was there to get it: each may end by itself a moment before it is hit."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal_number)
        return True
    return False


@define
class Gauge:
    """Memory and open files of this process over time.

    Attributes:
        pause: time between two readings, in seconds.
        readings: bytes and open files.
    """

    pause: float
    readings: list[tuple[int, int]] = field(factory=list)

    async def run(self) -> None:
        while True:
            await anyio.sleep(self.pause)
            gc.collect()
            pages = int((await anyio.Path("/proc/self/statm").read_text()).split()[1])
            self.readings.append((pages * os.sysconf("SC_PAGESIZE"), len(descriptors())))

    def quarter(self, number: int) -> tuple[float, float]:
        """Bytes and open files in one quarter of the time, of four: the medians."""
        bytes_, files = (median(reading[place] for reading in self._readings_of(number)) for place in (0, 1))
        return bytes_, files

    def _readings_of(self, number: int) -> list[tuple[int, int]]:
        length = len(self.readings) // 4
        return self.readings[number * length : (number + 1) * length]
