"""Everything that touches distributed: calls on its event loops, its scheduler's handlers, its events, the drop-in.

`trio_adaptive.dask.Adaptive` is the class for ``cluster.adapt(Adaptive=...)``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # On demand, since the drop-in stands on the runtime, and the runtime's clusters stand on the other modules in here.
    if name == "Adaptive":
        from trio_adaptive.dask.dropin import Adaptive  # noqa: PLC0415

        return Adaptive
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
