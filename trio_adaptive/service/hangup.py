"""SIGHUP: the terminal has gone, which ends the service; or somebody asks for the configuration to be read again.

Which of the two it is, the terminal tells: where there was one when the service began, and there is none any more, it has
gone. Without a configuration file there is nothing to read, and SIGHUP is left to what the system does with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable

import trio


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    os.close(terminal)
    return True


async def watch_hangups(
    reload: Callable[[], Awaitable[None]],
    end: Callable[[], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Reload on each SIGHUP, until the terminal has gone. Where SIGHUP is ignored, as by nohup, it stays so."""
    had_terminal = has_terminal()
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        task_status.started()
        return
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if had_terminal and not has_terminal():
                end()
            else:
                await reload()
