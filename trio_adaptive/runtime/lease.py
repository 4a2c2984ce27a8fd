"""One driver for each cluster: who we are, and the lease of a cluster that gives one."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from trio_adaptive.clusters.base import Cluster, Leased
from trio_adaptive.config import Settings


def is_leased(port: Cluster) -> bool:
    """Whether the cluster has one driver at a time."""
    return isinstance(port, Leased)


def leased(port: Cluster, settings: Settings) -> AbstractAsyncContextManager[None]:
    """Be the cluster's driver for as long as the block lasts, where it has one at a time.

    Raises:
        AlreadyDriven: on entering: another one drives it.
    """
    if not isinstance(port, Leased):
        return nullcontext()
    return port.lease(settings.driver or default_driver(), take_over=settings.take_over)


def default_driver() -> str:
    """This program, as people at another machine can find it: ``"train.py (ann@node7, pid 4711)"``."""
    program = Path(sys.argv[0] if sys.argv else "").name or "python"
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for its user
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    return f"{program} ({user}@{socket.gethostname()}, pid {os.getpid()})"
