"""The project's sessions: ``nox -s tests`` and its siblings. ``nox --list`` tells what there is."""

import os

import nox

BACKENDS = ("asyncssh>=2.14", "dask-jobqueue==0.9.0", "dask-kubernetes>=2026.3", "kmock>=0.5")
"""Clients of resource managers."""

BROWSER = ("axe-playwright-python>=0.1.4", "playwright>=1.50")
"""What drives a browser, and what judges whether everybody can use the page."""

nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but those beside other programs, four at a time, since most wait; arguments go to pytest."""
    session.install(".[test]")
    _ours(session)


@nox.session
def everything(session: nox.Session) -> None:
    """The tests of `tests` and of `real`, one after the other."""
    session.install(".[test]", *BACKENDS, *BROWSER)
    _ours(session)
    _real(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format."""
    session.install(".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Two strict type checkers, since each finds what the other does not."""
    session.install(".[types]")
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def docs(session: nox.Session) -> None:
    """The samples in README and documentation run, and their links lead somewhere."""
    session.install(".[test]")
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Ours and upstream's side by side; `nox -s benchmarks -- --quick` for a look."""
    session.install(".[test]", "psutil")
    session.run("python", "docs/benchmarks/all.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Half an hour of work, limits, faults and restarts by chance; TRIO_ADAPTIVE_SOAK is for how many seconds."""
    session.install(".[test]")
    seconds = os.environ.get("TRIO_ADAPTIVE_SOAK", "1800")
    command = ("pytest", "-m", "soak", "tests/soak", "-s", *session.posargs)
    session.run(*command, env={"TRIO_ADAPTIVE_SOAK": seconds})


@nox.session
def real(session: nox.Session) -> None:
    """All that works with other programs than ours, and two minutes of the soak; file by file, four at a time."""
    session.install(".[test]", *BACKENDS, *BROWSER)
    _real(session)


@nox.session
def backends(session: nox.Session) -> None:
    """Real resource managers."""
    session.install(".[test]", *BACKENDS)
    _with_programs(session, "backends")


@nox.session
def service(session: nox.Session) -> None:
    """Prometheus and a browser beside the real service."""
    session.install(".[test]", *BROWSER)
    _with_programs(session, "service")


@nox.session
def networks(session: nox.Session) -> None:
    """Slow, lossy and cut networks of the tests' own, which only root can make."""
    session.install(".[test]")
    _with_programs(session, "networks")


@nox.session
def kubernetes(session: nox.Session) -> None:
    """With a fake API server, and on the cluster with Dask's operator that KUBECONFIG names, where it names one."""
    session.install(".[test]", "dask-kubernetes", "kmock")
    session.run("pytest", "-m", "backends", "tests/backends", "-k", "kubernetes", *session.posargs)


def _ours(session: nox.Session) -> None:
    session.run("pytest", "-n", "4", *session.posargs)


def _real(session: nox.Session) -> None:
    folders = [f"tests/{name}" for name in ("networks", "soak", "backends", "browser", "monitoring")]
    session.run(
        *("pytest", "-n", "4", "--dist", "loadfile", "-m", "backends or networks or service or soak"),
        *(*folders, *session.posargs),
        env={"TRIO_ADAPTIVE_INSTALL": "1", "TRIO_ADAPTIVE_SOAK": "120"},
    )


def _with_programs(session: nox.Session, marker: str) -> None:
    """As root on Debian, programs that are missing are installed; elsewhere their tests are skipped."""
    session.run("pytest", "-m", marker, *session.posargs, env={"TRIO_ADAPTIVE_INSTALL": "1"})
