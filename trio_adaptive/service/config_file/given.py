"""What the command line says beside a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


def option(name: str) -> str:
    """A key as the command line spells it."""
    return f"--{name.replace('_', '-')}"


@frozen
class Given:
    """What the command line says, which wins over the file.

    Attributes:
        scaling: options of the scaler, by their names in `Settings`.
        workers: keys of `WorkersTable`.
    """

    scaling: Mapping[str, object] = field(factory=dict[str, object])
    workers: Mapping[str, Any] = field(factory=dict[str, Any])

    @property
    def words(self) -> list[str]:
        """All of it, as it is spelled there."""
        return [option(name) for name in (*self.scaling, *self.workers)]
