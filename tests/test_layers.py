"""The house has floors: a file imports its own room and the rooms below it, never one above.

And what every user pays for: importing the package brings in neither Dask nor the web stack.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

PACKAGE = "trio_adaptive"
ROOT = Path(__file__).parents[1] / PACKAGE

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "durations"),
    ("decision",),
    ("config", "forms", "schedules", "threads"),
    ("journal",),
    ("dask",),
    ("clusters",),
    ("runtime",),
    ("dask.dropin", "dask.engine", "dask.verdict", "testing"),
    ("simulation",),
    ("service",),
    ("cli", "__main__"),
    ("",),  # the package itself: it may import everything, and nothing inside may lean on it
)
"""From the ground up; the rooms of one floor may import each other."""

IMPURE = {
    "anyio",
    "asyncio",
    "dask",
    "datetime",
    "distributed",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "trio",
    "uuid",
}
"""What the decision must not know: clocks, chance, the outside and who runs it."""

BANNED_AT_IMPORT = {
    "asyncio",
    "bokeh",
    "dask",
    "distributed",
    "hypercorn",
    "jinja2",
    "rich",
    "starlette",
    "tornado",
    "trio",
}


@frozen
class Import:
    """One import of one module, absolute, and where it stands."""

    module: str
    line: int
    lazy: bool


def imports_in(source: str, package: str, modules: set[str]) -> Iterator[Import]:
    """All imports of a source text, also those inside functions and ``if TYPE_CHECKING``.

    Args:
        source: the text.
        package: the dotted package that it belongs to, which relative imports start from.
        modules: the modules that exist, to tell ``from package import module`` from ``from module import name``.
    """
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for module in _modules_of(node, package, modules):
            yield Import(module, node.lineno, lazy=id(node) in inside)


def _modules_of(node: ast.AST, package: str, modules: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join([*start, node.module] if node.module else start)
        inner = [f"{origin}.{alias.name}" for alias in node.names]
        return [name if name in modules else origin for name in inner]
    return []


def floor_of(module: str) -> int:
    """On which floor a module of ours lives: that of the longest room name that its name begins with."""
    parts = module.split(".")[1:]
    for length in range(len(parts), -1, -1):
        room = ".".join(parts[:length])
        for number, rooms in enumerate(FLOORS):
            if room in rooms and (room or not parts):
                return number
    raise LookupError(f"{module} is in no room: give it a floor in {Path(__file__).name}")


def violations(module: str, source: str, modules: set[str], *, is_package: bool = False) -> list[str]:
    """What a module imports from above, one line each: which line, and what."""
    found = []
    package = module if is_package else module.rpartition(".")[0]
    own = floor_of(module)
    for each in imports_in(source, package, modules):
        # The package dask may hand out the drop-in, but only on demand: the rooms below run its __init__ too.
        limit = floor_of("trio_adaptive.dask.dropin") if each.lazy and module == "trio_adaptive.dask" else own
        top = each.module.split(".")[0]
        if top == PACKAGE and floor_of(each.module) > limit:
            found.append(f"line {each.line}: {module} imports {each.module}, from above")
        if floor_of("trio_adaptive.decision") == own and top in IMPURE:
            found.append(f"line {each.line}: {module} imports {each.module}, but decisions are pure")
    return found


def our_modules() -> dict[str, Path]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = our_modules()


@pytest.mark.parametrize("module", MODULES)
def test_no_import_from_above(module):
    path = MODULES[module]
    found = violations(module, path.read_text("utf-8"), set(MODULES), is_package=path.name == "__init__.py")
    assert not found, "\n".join([str(path), *found])


def test_the_walk_finds_the_house():
    assert {"trio_adaptive", "trio_adaptive.decision.decide", "trio_adaptive.errors"} <= MODULES.keys()


KNOWN = {
    "trio_adaptive",
    "trio_adaptive.cli",
    "trio_adaptive.clusters",
    "trio_adaptive.clusters.base",
    "trio_adaptive.config",
    "trio_adaptive.dask",
    "trio_adaptive.dask.dropin",
    "trio_adaptive.dask.link",
    "trio_adaptive.decision",
    "trio_adaptive.decision.model",
    "trio_adaptive.errors",
    "trio_adaptive.runtime",
    "trio_adaptive.runtime.adaptive",
}


@pytest.mark.parametrize(
    ("module", "source", "line"),
    [
        ("decision.model", "import trio_adaptive.config", 1),
        ("decision.model", "from trio_adaptive import config", 1),
        ("decision.model", "from trio_adaptive.config import Settings", 1),
        ("decision.model", "from ..config import Settings", 1),
        ("decision.model", "from .. import config", 1),
        ("decision.model", "def later():\n    from trio_adaptive.config import Settings", 2),
        ("decision.model", "if TYPE_CHECKING:\n    from trio_adaptive.clusters import base", 2),
        ("decision.model", "import time", 1),
        ("decision.model", "def now():\n    from os import path", 2),
        ("decision.model", "import logging.handlers", 1),
        ("runtime.adaptive", "from trio_adaptive import __version__", 1),
        ("clusters.base", "from trio_adaptive.dask.dropin import Adaptive", 1),
        ("dask.link", "from trio_adaptive.clusters.base import Cluster", 1),
        ("dask.link", "from trio_adaptive.dask import dropin", 1),
        ("dask", "from trio_adaptive.dask.dropin import Adaptive", 1),
        ("dask", "from .dropin import Adaptive", 1),
        ("dask", "def __getattr__(name):\n    import trio_adaptive.cli", 2),
    ],
)
def test_an_import_from_above_is_found(module, source, line):
    found = violations(f"trio_adaptive.{module}", source, KNOWN, is_package=module == "dask")
    assert [each.split(":")[0] for each in found] == [f"line {line}"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "decision.model",
            "import math\nfrom trio_adaptive.decision import model\nfrom trio_adaptive import errors",
        ),
        ("decision.model", "from . import model\nfrom ..errors import Mistake"),
        ("clusters.base", "from trio_adaptive.dask import link\nimport time"),
        ("dask.dropin", "from trio_adaptive.runtime.adaptive import adaptive"),
        ("dask", "def __getattr__(name):\n    from trio_adaptive.dask.dropin import Adaptive"),
        ("cli", "from trio_adaptive.runtime import adaptive"),
    ],
)
def test_an_import_from_below_is_none(module, source):
    assert violations(f"trio_adaptive.{module}", source, KNOWN, is_package=module == "dask") == []


def test_a_module_without_a_room_is_named():
    with pytest.raises(LookupError, match=r"trio_adaptive\.attic is in no room"):
        violations("trio_adaptive.attic", "", KNOWN)


def test_importing_the_package_is_light():
    script = f"import sys, {PACKAGE}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT.parent, check=True
    )
    loaded = set(done.stdout.split())
    assert PACKAGE in loaded
    assert not loaded & BANNED_AT_IMPORT
