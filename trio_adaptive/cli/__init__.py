"""The command line, ``trio-adaptive``: each command in a file of its own, all put together in `program`."""

from trio_adaptive.cli.program import main

__all__ = ["main"]
