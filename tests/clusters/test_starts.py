"""Which way a worker is started, and what becomes of a fork server that fails, ends, or is to be replaced."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import anyio
import pytest
from leftovers import children, descriptors

from trio_adaptive.clusters import forkserver
from trio_adaptive.clusters.starts import starts
from trio_adaptive.clusters.template import WorkerTemplate
from trio_adaptive.decision.model import UnitId
from trio_adaptive.errors import ClusterError, ConfigurationError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs"),
]

LIMIT = 60.0  # seconds, for a machine with much else to do
HELPERS = Path(__file__).parents[1]
STAY = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def _nothing_left():
    before = children(), descriptors()
    yield
    assert (children(), descriptors()) == before


@pytest.fixture
def opened(tmp_path, caplog):
    """Opens what starts processes that execute a code, forked with the module ``mine`` of the test in them."""
    caplog.set_level(logging.INFO, "trio_adaptive")
    env = {**os.environ, "PYTHONPATH": f"{HELPERS}{os.pathsep}{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    (tmp_path / "mine.py").write_text("value = 1\n")

    @contextlib.asynccontextmanager
    async def opening(code, **options):
        command = (sys.executable, "-m", "executes", code)
        with anyio.fail_after(LIMIT):
            async with starts(WorkerTemplate(command, env=env, warm=True, **options)) as starter:
                yield starter

    return opening


def one(starter):
    return starter.process("tcp://host:0", UnitId("a"))


async def said(process, text):
    while text not in process.output:
        assert process.returncode is None, process.output
        await anyio.sleep(0.005)


def parent(process):
    return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_workers_are_forked_from_what_has_the_imports(opened, caplog):
    async with opened(STAY, preload=("mine",)) as starter, one(starter) as process:
        await said(process, "ready")
        assert starter.pids == [parent(process)]
    assert f"forked from process {parent_of(caplog)}: executes, mine, in " in caplog.text
    assert starter.pids == []


def parent_of(caplog):
    return caplog.text.split("forked from process ")[1].split(":")[0]


async def test_where_none_can_be_forked_each_is_started_anew(opened, caplog):
    async with opened(STAY, preload=("no_such_module",)) as starter:
        for _ in range(2):
            async with one(starter) as process:
                await said(process, "ready")
                assert parent(process) == os.getpid()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "not forked, but started anew" in warnings[0]
    assert "No module named 'no_such_module'" in warnings[0]


@pytest.mark.parametrize(("preload", "level"), [((), logging.INFO), (("mine",), logging.WARNING)])
async def test_a_system_that_cannot_is_worth_a_warning_where_it_was_asked_to(
    opened, caplog, monkeypatch, preload, level
):
    monkeypatch.setattr(forkserver, "open_pidfd", lambda _pid: None)
    async with opened(STAY, preload=preload) as starter, one(starter) as process:
        assert parent(process) == os.getpid()
    assert [record.levelno for record in caplog.records] == [level]


async def test_a_server_that_has_ended_is_replaced(opened, caplog):
    async with opened(STAY) as starter:
        async with one(starter) as first:
            await said(first, "ready")
            os.kill(parent(first), signal.SIGKILL)
            assert await first.wait() == -signal.SIGKILL
        async with one(starter) as second:
            await said(second, "ready")
            assert starter.pids == [parent(second)]
    assert (
        "A new fork server comes with the next worker: the fork server ended: killed by SIGKILL"
        in caplog.text
    )


async def test_a_worker_whose_server_ends_in_the_middle_of_its_start_gets_another_one(opened, monkeypatch):
    async with opened(STAY) as starter, one(starter) as first:
        monkeypatch.setattr(forkserver, "ANSWER_TIMEOUT", 2.0)  # also for the new one, which has to answer
        (old,) = starter.pids
        os.kill(old, signal.SIGSTOP)
        async with one(starter) as second:
            await said(second, "ready")
            assert parent(second) != old
        assert first.returncode == -signal.SIGKILL


async def test_a_reload_is_for_those_that_come_after_it(opened, tmp_path):
    code = "import mine, time; print('value', mine.value, flush=True); time.sleep(600)"
    async with opened(code, preload=("mine",)) as starter:
        async with one(starter) as before:
            await said(before, "value 1")
            old = parent(before)
            (tmp_path / "mine.py").write_text("value = 22\n")
            await starter.reload()
            async with one(starter) as after:
                await said(after, "value 22")
                assert {parent(before), parent(after)} == {*starter.pids}
                assert before.returncode is None
        # The old server ends with the last of its workers.
        while old in starter.pids:
            await anyio.sleep(0.005)
        assert len(starter.pids) == 1


async def test_a_reload_that_fails_says_so_and_leaves_all_as_it_is(opened, tmp_path, caplog):
    async with opened(STAY, preload=("mine",)) as starter:
        async with one(starter) as process:
            old = parent(process)
        (tmp_path / "mine.py").write_text("oops")
        with pytest.raises(ClusterError, match="name 'oops' is not defined"):
            await starter.reload()
        async with one(starter) as process:
            assert parent(process) == old
        (tmp_path / "mine.py").write_text("value = 3\n")
        await starter.reload()
        async with one(starter) as process:
            assert parent(process) not in {old, os.getpid()}
    assert "started anew" not in caplog.text


async def test_a_reload_may_help_where_the_imports_have_failed(opened, tmp_path):
    (tmp_path / "mine.py").write_text("oops")
    async with opened(STAY, preload=("mine",)) as starter:
        for _ in range(2):
            with pytest.raises(ClusterError, match="name 'oops' is not defined"):
                await starter.reload()
        async with one(starter) as process:
            assert parent(process) == os.getpid()
        (tmp_path / "mine.py").write_text("value = 3\n")
        await starter.reload()
        async with one(starter) as process:
            assert starter.pids == [parent(process)]


async def test_a_reload_that_is_called_off_changes_nothing(opened, tmp_path):
    async with opened(STAY, preload=("mine",)) as starter:
        async with one(starter) as process:
            old = parent(process)
        (tmp_path / "mine.py").write_text("import time; time.sleep(600)")
        with anyio.move_on_after(0.2):
            await starter.reload()
        async with one(starter) as process:
            assert parent(process) == old
        while len(starter.pids) > 1:
            await anyio.sleep(0.005)


async def test_a_reload_while_the_first_imports_go_on(opened, tmp_path):
    async with opened(STAY, preload=("mine",)) as starter:
        await starter.reload()
        async with one(starter) as process:
            await said(process, "ready")
            while starter.pids != [parent(process)]:  # the first one ends in a task of its own
                await anyio.sleep(0.005)


async def test_there_is_nothing_to_reload_where_nothing_is_forked():
    async with starts(WorkerTemplate()) as starter:
        with pytest.raises(ClusterError, match="nothing to reload"):
            await starter.reload()


def test_nothing_is_preloaded_where_nothing_is_forked():
    with pytest.raises(
        ConfigurationError, match="preload: numpy without warm; allowed: modules for processes"
    ):
        WorkerTemplate(preload=("numpy",))


@pytest.mark.parametrize(
    "command", [("dask", "worker", "{address}"), (sys.executable, "-m"), (sys.executable, "-c", "1")]
)
def test_only_a_module_of_this_python_can_be_forked(command):
    with pytest.raises(
        ConfigurationError, match=r"with warm; allowed: a command that begins with .* -m and a module"
    ):
        WorkerTemplate(command, warm=True)
