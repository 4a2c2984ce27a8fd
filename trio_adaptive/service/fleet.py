"""What the service runs: its clusters by name, and what ends or reloads all of it.

Whoever composes the service puts clusters in and takes them out; the HTTP API, the metrics and the dashboard read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeAlias

from attrs import field, frozen

from trio_adaptive.runtime.adaptive import Adaptive
from trio_adaptive.service.chronicle import Chronicle

DEFAULT = "default"
"""The name of a cluster that has been given none."""


@frozen
class Hosted:
    """One cluster of the service.

    Attributes:
        name: unique in the service.
        scaler: adapts it.
        scheduler: the scheduler's address; empty where there is none, or it is not known.
        dashboard: the link to Dask's own dashboard; empty where there is none.
        chronicle: what it has done since it is part of the fleet.
    """

    name: str
    scaler: Adaptive
    scheduler: str = ""
    dashboard: str = ""
    chronicle: Chronicle = field(factory=Chronicle)


@frozen
class Reloaded:
    """What has become of a new configuration.

    Attributes:
        applied: the options that have changed and count from now on.
        needs_restart: those that have changed and do not.
    """

    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


Reload: TypeAlias = Callable[[], Awaitable[Reloaded]]


async def _nothing_to_reload() -> Reloaded:
    return Reloaded()


class Fleet(Mapping[str, Hosted]):
    """The clusters that there are, in the order in which they have come.

    Args:
        stop: ends the service, for the reason that it is given; returns at once.
        reload: reads the configuration again; raises `ConfigurationError` where that has mistakes.
        expected: the names of the clusters that the service is to have once it is ready.
    """

    def __init__(
        self,
        stop: Callable[[str], None],
        reload: Reload = _nothing_to_reload,
        *,
        expected: tuple[str, ...] = (DEFAULT,),
    ) -> None:
        self.stop = stop
        self.reload = reload
        self.expected = expected
        self._hosted: dict[str, Hosted] = {}

    def add(self, hosted: Hosted) -> None:
        """From now on this cluster is there.

        Raises:
            ValueError: there is one by this name.
        """
        if hosted.name in self._hosted:
            raise ValueError(f"there are two clusters by the name {hosted.name}")
        self._hosted[hosted.name] = hosted
        hosted.scaler.listen(hosted.chronicle.take)

    def remove(self, name: str) -> None:
        """From now on it is not."""
        del self._hosted[name]

    def __getitem__(self, name: str) -> Hosted:
        return self._hosted[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosted)

    def __len__(self) -> int:
        return len(self._hosted)
