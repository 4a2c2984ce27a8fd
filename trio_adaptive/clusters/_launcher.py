"""Run as a script: bind this process to its parent's life, then become the command.

Usage: ``python -I -S _launcher.py PARENT_PID DEATH_SIGNAL LC_CTYPE COMMAND...``

It is run for every child, so that it imports next to nothing, and nothing of this package. What Python has changed on
its way here is put back, so that the command finds what it would have found without us.
"""

from __future__ import annotations

import os
import signal
import sys

CANNOT_EXECUTE = 126
NOT_FOUND = 127  # both as in a shell

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, death_signal: int, locale: str, command: list[str]) -> None:
    """Bind to ``parent``, restore what Python changed, execute. Returns never: it executes or raises SystemExit."""
    if sys.platform == "linux":
        _die_with_parent(parent, death_signal)
    # Python ignores these two, and what is ignored stays ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    # Where the locale is C, Python sets this variable for its children (PEP 538).
    os.environ.pop("LC_CTYPE", None)
    if locale:
        os.environ["LC_CTYPE"] = locale
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
    except OSError as error:
        _say(f"cannot start {command[0]!r}: {error.strerror}")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE)


def _die_with_parent(parent: int, death_signal: int) -> None:
    import ctypes  # noqa: PLC0415 - 2 ms that other systems need not spend

    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal) != 0:
        _say("this process may outlive its parent: prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the call above; then nothing would ever tell us.
    if os.getppid() != parent:
        sys.exit(f"trio_adaptive: the parent, process {parent}, is gone; not started")


def _say(message: str) -> None:
    sys.stderr.write(f"trio_adaptive: {message}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
