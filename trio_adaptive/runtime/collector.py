"""The collector: looks at the cluster at every interval, and at once when the cluster says that something changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from attrs import define, evolve

from trio_adaptive.clusters.base import Cluster
from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Cause, Event, Load, Sample, Sampled, SampleFailed, Stop, Unit
from trio_adaptive.errors import ClusterClosed, ClusterError

LoadSource: TypeAlias = Callable[[], Awaitable[Load]]


REST: Final = 1.0
"""Time between two looks, in seconds, where a shorter interval has nothing to count: see `Collector.is_calm`."""


def taken_over(units: tuple[Unit, ...], name: str) -> tuple[Unit, ...]:
    """The units, where those of an earlier run under this name are ours as well."""
    if not name or all(unit.ours for unit in units):
        return units
    return tuple(
        evolve(unit, ours=True) if not unit.ours and unit.id.startswith(f"{name}-") else unit
        for unit in units
    )


async def take_sample(cluster: Cluster, load: LoadSource, cause: Cause, name: str = "") -> Sample:
    """One look at the load and at the cluster; where only the load is not to be had, the sample says why.

    ``name`` is what our units' names begin with.

    Raises:
        ClusterError: there was no look at the cluster.
    """
    begun = anyio.current_time()
    try:
        said = await load()
    except ClusterClosed:
        raise
    except ClusterError as error:
        said = Load(0, missing=str(error))
    units = taken_over(await cluster.look(refresh=cause == "interval"), name)
    return Sample(begun, anyio.current_time(), cause, units, said, cluster.unit_size)


@define
class Collector:
    """Takes samples and sends them to the scaling loop.

    Attributes:
        cluster: what is looked at.
        load: asks how many workers the load wants.
        settings: ``interval``, ``min_interval`` and ``call_timeout`` count here.
        wakes: one item stands for any number of wake-ups.
        inbox: the scaling loop's.
        stops: takes the end of it when the cluster has closed.
        is_calm: whether the size is as it should be, and whatever is to change that comes with a wake-up. Then the
            interval is `REST` at least.
        late: takes how much later than due a regular look began, in seconds.
    """

    cluster: Cluster
    load: LoadSource
    settings: Settings
    wakes: MemoryObjectReceiveStream[None]
    inbox: MemoryObjectSendStream[Event]
    stops: MemoryObjectSendStream[Stop]
    is_calm: Callable[[], bool] = lambda: False
    late: Callable[[float], None] = lambda _: None

    async def run(self) -> NoReturn:
        """Sample for ever, the first time at once."""
        tick = anyio.current_time()
        while True:
            rest = max(0.0, REST - self.settings.interval) if self.is_calm() else 0.0
            cause = await self._next_cause(tick + rest)
            begun = anyio.current_time()
            if cause == "interval":
                self.late(max(0.0, begun - (tick + rest)))
            await self._sample(cause)
            # Ticks that were missed (a slow answer, a suspended machine, a rest) are not made up for.
            if cause == "interval":
                tick = max(tick, anyio.current_time() - self.settings.interval) + self.settings.interval
            elif rest:
                tick = max(tick, anyio.current_time())
            await anyio.sleep_until(begun + self.settings.min_interval)

    async def _next_cause(self, tick: float) -> Cause:
        with anyio.CancelScope(deadline=tick):
            await self.wakes.receive()
            return "wake-up"
        return "interval"

    async def _sample(self, cause: Cause) -> None:
        try:
            with anyio.fail_after(self.settings.call_timeout):
                sample = await take_sample(self.cluster, self.load, cause, self.settings.name)
        except ClusterClosed as error:
            self.stops.send_nowait(Stop(anyio.current_time(), str(error)))
            await anyio.sleep_forever()
        except ClusterError as error:
            await self.inbox.send(SampleFailed(anyio.current_time(), str(error)))
        except TimeoutError:
            silence = f"{self.cluster.name} did not answer within {self.settings.call_timeout:g} s"
            await self.inbox.send(SampleFailed(anyio.current_time(), silence))
        else:
            await self.inbox.send(Sampled(sample))
