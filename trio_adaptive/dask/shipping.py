"""Sends the probe to a scheduler, as text.

A pickled class carries byte code, which crashes a scheduler of another Python version; its text works on all of them.
"""

from __future__ import annotations

import hashlib
import pickle
from functools import cache
from importlib.resources import files
from typing import Any, Final

from distributed.core import send_recv

from trio_adaptive.dask.link import PREFIX

NAME: Final = "trio-adaptive"
"""Under which a scheduler has the probe: one per scheduler."""

MODULES: Final = (
    *("places", "vetoes", "pulls", "fences", "uninvited", "rescue", "leaving"),
    *("facts", "classes", "kinds", "load", "talk", "line", "plugin"),
)
"""The probe's files, each after those that it imports."""

RUN: Final = "(exec(boot, names), names['make_plugin'](package, sources))[1]"


class _Text:
    """Becomes, where it is unpickled, what `boot.make_plugin` makes."""

    def __init__(self, package: str, sources: dict[str, str], boot: str) -> None:
        self._variables: dict[str, Any] = {"package": package, "sources": sources, "boot": boot, "names": {}}

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (RUN, self._variables)


@cache
def packed() -> tuple[str, bytes]:
    """The name of this version of the probe, and the pickle that becomes one."""
    return pack(texts())


def texts() -> dict[str, str]:
    """The text of each of the probe's files by its name."""
    folder = files("trio_adaptive.dask.probe")
    return {name: folder.joinpath(f"{name}.py").read_text("utf-8") for name in (*MODULES, "boot")}


def pack(sources: dict[str, str]) -> tuple[str, bytes]:
    """A name that tells these files from all others, and the pickle that becomes a probe made of them."""
    modules = dict(sources)
    digest = hashlib.sha256("\0".join(modules.values()).encode()).hexdigest()[:12]
    package = f"trio_adaptive_probe_{digest}"
    return package, pickle.dumps(_Text(package, modules, modules.pop("boot")))


async def install(comm: Any) -> bool | None:
    """Have the probe in the scheduler, unless one is there already. Lives on the asyncio loop.

    Args:
        comm: a connection to the scheduler.

    Returns:
        Whether the one that is there is of this version; None when it has just gone.

    Raises:
        Exception: the scheduler forbids plugins, or the probe cannot work there.
    """
    package, plugin = packed()
    await send_recv(comm, op="register_scheduler_plugin", plugin=plugin, name=NAME, idempotent=True)
    there: dict[str, Any] | None = await send_recv(comm, op=f"{PREFIX}hello")
    return None if there is None else there["package"] == package
