"""Makes modules of text. Runs first, and alone."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def make_plugin(package: str, sources: dict[str, str]) -> Any:
    """Make a package of this name, and return its `plugin.Probe`.

    Args:
        package: a name that tells this text from every other one.
        sources: module name -> text, each after those that it imports.
    """
    if package not in sys.modules:
        root = ModuleType(package)
        root.__path__ = []  # a package: relative imports look here, and find what is in sys.modules
        sys.modules[package] = root
        for name, source in sources.items():
            module = ModuleType(f"{package}.{name}")
            module.__package__ = package
            sys.modules[module.__name__] = module
            exec(compile(source, f"<{module.__name__}>", "exec"), module.__dict__)  # noqa: S102 - our own text
    return sys.modules[f"{package}.plugin"].Probe(package)
