"""Workers that were there and have gone, told from those that have not come yet.

A scheduler forgets a worker at once. What becomes of the process, or the batch job, is seldom told: a nanny starts its
worker again within seconds, a job that was cancelled from outside never comes back. Only patience tells one from the
other, as with Dask's own ``lost-worker-timeout``.
"""

from __future__ import annotations

import weakref

from attrs import define, field


@define
class _Presence:
    process: weakref.ref[object]
    gone_since: float | None = None
    let_go: bool = False


@define
class Absences:
    """Which units have been without any worker for too long, after they had some.

    Attributes:
        patience: how long a unit may be without its workers, in seconds.
    """

    patience: float
    _present: dict[str, _Presence] = field(factory=dict[str, _Presence])

    def since(
        self, name: str, process: object, now: float, *, here: bool, ended: bool = False
    ) -> float | None:
        """Take one look at a unit in; returns for how long it has been lost, in seconds; None while it is not.

        Args:
            name: the unit.
            process: what was started for it; None when there is nothing any more. After a new start, it is a new unit.
            now: the time of the look.
            here: whether any of its workers is registered.
            ended: whether it is known that it will not come back, so that there is nothing to wait for.
        """
        if here:
            if process is not None:
                self._present[name] = _Presence(weakref.ref(process))
            return None
        presence = self._present.get(name)
        if presence is None:
            return None
        if process is not None and presence.process() is not process:
            del self._present[name]
            return None
        if presence.gone_since is None:
            presence.gone_since = now
        gone = now - presence.gone_since
        return gone if ended or presence.let_go or gone >= self.patience else None

    def let_go(self, name: str) -> None:
        """The unit's workers have left for good, though the unit may not have ended."""
        if name in self._present:
            self._present[name].let_go = True

    def forget(self, name: str) -> None:
        """The unit has been ended."""
        self._present.pop(name, None)
