"""Reading the configuration again while the service runs: what can be applied is applied, the rest is named."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import trio
from attrs import define, evolve, field

from trio_adaptive.errors import ConfigurationError, ScalerStoppedError
from trio_adaptive.service.config_file.changes import Changes, changes, place
from trio_adaptive.service.config_file.check import in_words
from trio_adaptive.service.config_file.given import Given
from trio_adaptive.service.config_file.reading import Configuration, read_configuration
from trio_adaptive.service.fleet import Fleet, Reloaded
from trio_adaptive.service.notify import Notifier
from trio_adaptive.service.sharing import Sharing

logger = logging.getLogger(__name__)

BY: Final = "the configuration file"


@define(eq=False)
class Reloading:
    """The configuration that counts, and how another one takes its place.

    Attributes:
        current: what counts now; what could not be applied stays as it was, and so is named again the next time.
        given: what the command line said, which still wins.
        sharing: the division of a shared maximum.
        fleet: the clusters that are up; set once there is one.
        notifier: tells systemd.
    """

    current: Configuration
    given: Given
    sharing: Sharing
    fleet: Fleet | None = None
    notifier: Notifier = field(factory=Notifier)
    _lock: trio.Lock = field(factory=trio.Lock, init=False)

    async def __call__(self) -> Reloaded:
        """Read the file again and apply it.

        Raises:
            ConfigurationError: it has mistakes; nothing has been changed.
        """
        async with self._lock:
            if self.current.file is None:
                return Reloaded()
            self.notifier.reloading()
            try:
                new = await trio.to_thread.run_sync(read_configuration, self.current.file, self.given)
                return self._apply(new, changes(self.current, new))
            finally:
                self.notifier.ready(in_words(self.current))

    async def on_signal(self) -> None:
        """The same for somebody who can only read the log."""
        try:
            done = await self()
        except ConfigurationError as error:
            logger.error("Not reloaded: %s", error)  # noqa: TRY400 - a mistake of the user's, who needs no traceback
            return
        logger.info("Reloaded: %s", ", ".join(done.applied) or "nothing is new that can be applied")
        if done.needs_restart:
            logger.warning("Counts only after a restart: %s", ", ".join(done.needs_restart))

    def _apply(self, new: Configuration, found: Changes) -> Reloaded:
        applied: list[str] = []
        waiting = list(found.fixed)
        for name, changed in found.settings.items():
            live = self._change_settings(name, changed)
            applied += [place(name, f"adaptive.{key}") for key in sorted(live)]
            waiting += [place(name, f"adaptive.{key}") for key in sorted(changed.keys() - live)]
        for name, weight in found.weights.items():
            self.sharing.set_weight(name, weight)
            self._keep(name, weight=weight)
            applied.append(place(name, "weight"))
        for key in found.service:
            (applied if self._change_service(new, key) else waiting).append(f"service.{key}")
        return Reloaded(tuple(applied), tuple(waiting))

    def _change_settings(self, name: str, changed: Mapping[str, Any]) -> set[str]:
        """The names of the options that count from now on."""
        if self.fleet is None or name not in self.fleet or not changed:
            return set()
        try:
            live = set(self.fleet[name].scaler.change_settings(changed, by=BY))
        except (ConfigurationError, ScalerStoppedError) as error:
            logger.warning("%s: not changed: %s", name, error)
            return set()
        old = self.current.clusters[name].plan
        settings = evolve(old.settings, **{key: changed[key] for key in live})
        self._keep(name, plan=evolve(old, settings=settings))
        return live

    def _change_service(self, new: Configuration, key: str) -> bool:
        """Whether a key of ``[service]`` counts from now on."""
        if key == "maximum":
            self.sharing.set_total(new.service.maximum)
        elif key == "log_level" and new.service.log_level is not None:
            logging.getLogger("trio_adaptive").setLevel(new.service.log_level.upper())
        else:
            return False
        service = evolve(self.current.service, **{key: getattr(new.service, key)})
        self.current = evolve(self.current, service=service)
        return True

    def _keep(self, name: str, **changed: Any) -> None:
        clusters = dict(self.current.clusters)
        clusters[name] = evolve(clusters[name], **changed)
        self.current = evolve(self.current, clusters=clusters)
