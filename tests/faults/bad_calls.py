"""What the calls of a cluster may do instead of what they are there for, each once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from trio_adaptive.errors import ClusterError

WORKER = """
mode=$(cat "$0" 2>/dev/null)
rm -f "$0"
case "$mode" in
  exit) echo "no licence today" >&2; exit 3;;
  hang) exec sleep 600;;
  name) exec "$@" --name somebody-else;;
esac
exec "$@"
"""
"""A shell script: a worker that does, once, as a file says."""


def once(cluster: object, method: str, instead: Callable[..., Awaitable[None]]) -> None:
    """Let the next call of one of its methods do something else, which is given the method itself."""

    async def call(*arguments, **options):
        vars(cluster).pop(method, None)
        return await instead(getattr(cluster, method), *arguments, **options)

    vars(cluster)[method] = call


async def raises(_launch, _units):
    raise ClusterError("quota exceeded")


async def hangs(*_arguments, **_options):
    await anyio.sleep_forever()


async def answers_late(launch, units):
    await launch(units)
    await anyio.sleep(0.8)


async def starts_and_says_no(launch, units):
    await launch(units)
    raise ClusterError("connection reset by the resource manager")


async def half(launch, units):
    await launch(units[: (len(units) + 1) // 2])
    raise ClusterError(f"only {(len(units) + 1) // 2} of {len(units)}")
