"""Exit codes, and which one an error means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trio_adaptive.errors import (
    AlreadyDriven,
    ConfigurationError,
    LaunchesFailed,
    NotAllowed,
    SchedulerLost,
    ServiceError,
    ServiceUnreachable,
)

EXIT_USAGE: Final = 2
EXIT_CLUSTER: Final = 3
EXIT_LAUNCHES: Final = 4
EXIT_SCHEDULER: Final = 5
EXIT_UNREACHABLE: Final = 6
EXIT_NOT_ALLOWED: Final = 7
EXIT_INTERRUPTED: Final = 130

EXIT_CODES: Final = """\
exit codes:
  0    ended as it should: run: the script's own exit code
  2    wrong usage or configuration, or another autoscaler drives the cluster; nothing was started
  3    the cluster failed: it could not be started, ended by itself, or could not be closed; or the service that was
       asked says that it cannot do this now
  4    launches failed again and again, and on_breaker is "end"
  5    the scheduler did not answer for scheduler_timeout
  6    no service was found, or it did not answer
  7    the service does not let us do that: another token or certificate is needed
  128+n  signal n: run: the script's, or ours while starting; 130 is Ctrl-C, 143 is SIGTERM
"""


def code_of_answer(error: ServiceError) -> int:
    """The one for what a running service answered, or did not."""
    if isinstance(error, ServiceUnreachable):
        return EXIT_UNREACHABLE
    return EXIT_NOT_ALLOWED if isinstance(error, NotAllowed) else EXIT_CLUSTER


def exit_code(errors: Sequence[BaseException]) -> int:
    """The one code for all that went wrong."""
    for kind, code in ((LaunchesFailed, EXIT_LAUNCHES), (SchedulerLost, EXIT_SCHEDULER)):
        if any(isinstance(error, kind) for error in errors):
            return code
    # Some bounds can only be held against the cluster object, and who drives it is only known there.
    of_use = all(isinstance(error, ConfigurationError | AlreadyDriven) for error in errors)
    return EXIT_USAGE if of_use else EXIT_CLUSTER
