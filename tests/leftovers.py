"""What a test may leave behind, each as a value to compare before and after."""

from __future__ import annotations

import threading
from pathlib import Path

TASKS = Path("/proc/self/task")
DESCRIPTORS = Path("/proc/self/fd")


def threads() -> set[threading.Thread]:
    """All threads, without those that trio keeps for the next use: one that has work to do has another name."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Trio thread")}


def children() -> set[str]:
    """Our child processes by number, zombies included; nothing where there is no /proc."""
    found: set[str] = set()
    for path in TASKS.glob("*/children"):
        try:
            found.update(path.read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # a thread that has ended
            continue
    return found


def descriptors() -> dict[str, str]:
    """Our open files by number; nothing where there is no /proc."""
    found = {}
    for path in DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ():
        try:
            found[path.name] = str(path.readlink())
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def snapshot() -> set[object]:
    """All of it at once."""
    return {*threads(), *(f"child {pid}" for pid in children()), *descriptors().items()}
