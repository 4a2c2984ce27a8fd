"""What a policy is: from all that is known to a wanted number of workers, before any limit.

A policy is a frozen value that carries its own memory: each look makes the next one. It reads no clock and knows no
cluster, so that a recorded or simulated run gives the same sizes again.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from trio_adaptive.decision.model.load import Load


@frozen
class View:
    """What a policy is shown at each look. All sizes are workers.

    Attributes:
        at: the time of the look, in seconds.
        load: what the scheduler says; ``load.work`` is None where only a finished target is known.
        registered: workers that have registered and are not leaving.
        starting: since when each worker that has not registered has been on its way, in seconds, the oldest first.
        startups: the latest measured times from launch to registration, in seconds, the latest last.
        minimum: the least number of workers.
        maximum: the largest number of workers; may be infinite.
        confirmation: how long the decision itself waits before a superfluous worker leaves, in seconds.
    """

    at: float
    load: Load
    registered: int = 0
    starting: tuple[float, ...] = ()
    startups: tuple[float, ...] = ()
    minimum: int = 0
    maximum: float = float("inf")
    confirmation: float = 0.0


@frozen
class Advice:
    """What a policy says.

    Attributes:
        target: how many workers there should be, before any limit.
        why: in words.
        patience: how long a worker must have been superfluous or idle before it leaves, in seconds, beside the
            ticks that always have to agree; None: as long as a start takes.
        cancels: whether starts that are not needed any more are called off.
        until: the advice stays the same until then, as long as nothing changes but the time.
    """

    target: int
    why: str
    patience: float | None = None
    cancels: bool = True
    until: float = float("-inf")


class Policy(Protocol):
    """Says how many workers there should be.

    A class of your own needs this one method, and should be a frozen value: what it is to remember goes into the
    policy that it returns.
    """

    def advise(self, view: View) -> tuple[Policy, Advice]:
        """The policy after this look, and what it says."""
        ...
