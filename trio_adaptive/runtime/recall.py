"""Remembering from run to run, where the setting `memory_file` says so."""

from __future__ import annotations

import logging
from pathlib import Path

from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Sample
from trio_adaptive.journal.memory import Measured, Memory, read_memory, write_memory


class Recall:
    """The memory of one lifetime: read before it, written after it.

    Attributes:
        memory: of earlier runs; empty where nothing is to be remembered, or the file is broken.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = Path(settings.memory_file).expanduser() if settings.memory_file else None
        self.memory, problem = (Memory(), "") if self._path is None else read_memory(self._path)
        self._measured = Measured()
        _warn(problem)

    def see(self, sample: Sample) -> None:
        """Take in what a look shows."""
        if self._path is not None:
            self._measured = self._measured.see(sample)

    def save(self, startups: tuple[float, ...]) -> None:
        """Write what this run has measured, together with what was remembered before.

        Args:
            startups: measured times from launch to registration, in seconds.
        """
        if self._path is not None and (startups or self._measured.kinds):
            _warn(write_memory(self._path, self.memory.with_run(startups, self._measured.kinds)))


def _warn(problem: str) -> None:
    if problem:
        logging.getLogger("trio_adaptive").warning("%s", problem)
