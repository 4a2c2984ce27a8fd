"""The tree of errors, ordered by whose fault it is and what the reader can do about it.

Nothing here knows Dask, anyio or a cluster: every room may raise these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs


class TrioAdaptiveError(Exception):
    """The root: `except TrioAdaptiveError` catches whatever this project raises on purpose."""


@attrs.frozen
class Mistake:
    """One thing that is wrong in what the user asked for.

    Attributes:
        path: where it stands, e.g. ``maximum`` or ``cluster.toml: wait_count``.
        problem: what is wrong, with the value that was given.
        allowed: what would have been right.
    """

    path: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; allowed: {self.allowed}"


class ConfigurationError(TrioAdaptiveError, ValueError):
    """Yours to fix: the options contradict themselves or their types. Lists every mistake at once."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  - {mistake}" for mistake in self.mistakes)
        many = "mistake" if len(self.mistakes) == 1 else "mistakes"
        super().__init__(f"{len(self.mistakes)} {many} in the configuration:\n{lines}")


class ClusterError(TrioAdaptiveError):
    """The cluster's (or its resource manager's, or its scheduler's) answer to a call of ours.

    Adapters raise it in place of whatever the cluster raised, which stays its ``__cause__``. It is an
    outcome to record and to act on (retry later, hold), not the end of the run.
    """


class CallTimedOut(ClusterError, TimeoutError):  # noqa: N818 - says what happened; it is a TimeoutError
    """A call did not answer within its deadline. It may still take effect: read the state before acting."""


class SchedulerUnreachable(ClusterError):  # noqa: N818 - the name says what is wrong
    """The scheduler cannot be reached, or closed the connection. Nothing is shrunk on ignorance."""


class DrainRefused(ClusterError):  # noqa: N818 - an answer of the scheduler rather than a fault
    """A worker may not leave now, for example because it holds the only copy of data that fits nowhere else.

    The worker is back in service when this is raised; the message is the reason.
    """


class ClusterClosed(ClusterError):  # noqa: N818 - the name says what happened
    """The cluster has gone for good, so that adapting it ends as well."""


class GivenUp(ClusterError):  # noqa: N818 - the name says what happened
    """Adapting has ended by itself, since a setting says so. The message says what has to be mended."""


class LaunchesFailed(GivenUp):
    """As many launches in a row as ``breaker_failures`` have failed, and ``on_breaker`` is "end"."""


class SchedulerLost(GivenUp):
    """The scheduler has not answered for ``scheduler_timeout``."""


class AlreadyDriven(ClusterError):  # noqa: N818 - the name says what is wrong
    """Another autoscaler drives this cluster, or has taken it over. The message names it."""


class ScalerStoppedError(TrioAdaptiveError):
    """A command reached a scaler that is not adapting: before it was started or after it was stopped."""


class ServiceError(TrioAdaptiveError):
    """A running service says that it cannot do what was asked; the message is its own."""


class ServiceUnreachable(ServiceError):  # noqa: N818 - says what happened
    """No service was found, or it did not answer: see whether it runs, and its URL."""


class NotAllowed(ServiceError):  # noqa: N818 - says what happened
    """The service does not let this user do that: another token or certificate is needed."""


def leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """The errors in a group, however deep."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
