"""Real processes, hence the real clock: `fail_after` bounds every wait, and nothing sleeps to win a race."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import anyio
import pytest
from leftovers import children, descriptors

from trio_adaptive.clusters import process as module
from trio_adaptive.clusters import spawn
from trio_adaptive.clusters.forkserver import fork_server
from trio_adaptive.clusters.process import child_process, describe_exit, run_process
from trio_adaptive.errors import ClusterError

pytestmark = pytest.mark.anyio
linux = pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal and /proc are Linux's")

LIMIT = 20.0  # seconds, for a machine with much else to do; each test takes a fraction of one
STAY = "echo ready; exec sleep 600"
GRACEFUL = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 600; done"


@contextlib.asynccontextmanager
async def started(command, **options):
    """A process that is started in the usual way."""
    with anyio.fail_after(LIMIT):
        async with child_process(command, **options) as process:
            yield process


@contextlib.asynccontextmanager
async def forked(command, **options):
    """A process that is forked, and then becomes the command."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with anyio.fail_after(LIMIT):
        async with fork_server("becomes", env=env) as server, server.worker(command, **options) as process:
            yield process


@pytest.fixture(params=["pidfd", "thread", "forked"])
def child(request, monkeypatch):
    """Both ways to start a process, and of the one that is everywhere both ways to learn of an exit."""
    if request.param == "thread":
        monkeypatch.setattr(spawn, "open_pidfd", lambda _pid: None)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("no pidfd here")
    return forked if request.param == "forked" else started


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


async def until(condition) -> None:
    while not condition():
        await anyio.sleep(0.005)


async def said(process, text: str = "ready\n") -> None:
    await until(lambda: text in process.output or process.returncode is not None)
    assert text in process.output


def number(process) -> int:
    return int(process.output.split()[-1])


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie that somebody else forgets to reap does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


@contextlib.contextmanager
def nothing_left():
    """No child, not even a zombie, and no descriptor stays behind."""
    before = children(), descriptors()
    yield
    assert (children(), descriptors()) == before


async def test_exit_code_and_output(child):
    with nothing_left():
        async with child(sh("echo out; echo err >&2; exit 3")) as process:
            assert process.returncode is None
            assert await process.wait() == 3
        assert (process.returncode, process.output) == (3, "out\nerr\n")
        assert process.command == ("sh", "-c", "echo out; echo err >&2; exit 3")
        assert "exit code 3" in repr(process)


def test_describe_exit():
    assert describe_exit(0) == "exit code 0"
    assert describe_exit(-9) == "killed by SIGKILL"
    assert describe_exit(-40) == "killed by signal 40"


async def test_only_the_end_of_the_output_is_kept_and_the_log_has_it_all(child, tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    script = "import sys; sys.stdout.buffer.write(b'x' * 300_000 + b'\\xff end')"
    async with child(python(script), log=log, keep=10) as process:
        assert await process.wait() == 0
    assert process.output == "xxxxx\ufffd end"
    assert log.read_bytes() == b"before\n" + b"x" * 300_000 + b"\xff end"


async def test_what_is_in_the_pipe_when_it_ends_is_not_lost(child, monkeypatch):
    async def slow(_process):
        await anyio.sleep_forever()

    monkeypatch.setattr(module.ChildProcess, "_pump", slow)
    async with child(sh("echo last words")) as process:
        await process.wait()
        assert process.output == "last words\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_ends_the_log_and_nothing_else(child):
    script = "trap 'echo two; exit 4' USR1; echo ready; while :; do sleep 0.01; done"
    async with child(sh(script), log=Path("/dev/full")) as process:
        await said(process)
        process.send_signal(signal.SIGUSR1)
        assert await process.wait() == 4
    assert process.output.startswith("ready\n\n[trio_adaptive: the log file ends here: ")
    assert process.output.endswith("two\n")


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [
        (["no-such-command"], 127, "No such file"),
        (["/"], 126, "Permission denied"),
    ],
)
async def test_a_command_that_cannot_be_executed_says_so(command, code, why):
    async with started(command) as process:
        assert await process.wait() == code
    assert process.output.startswith(f"trio_adaptive: cannot start {command[0]!r}: {why}")


async def test_a_start_that_fails_raises_as_itself(tmp_path):
    with nothing_left(), pytest.raises(FileNotFoundError):
        async with started(["true"], cwd=tmp_path / "missing", log=tmp_path / "log"):
            pytest.fail("must not start")


async def test_the_command_finds_what_it_would_have_found_without_a_launcher(tmp_path):
    async with started(["env"], env={"A": "1", "LC_ALL": "", "PATH": os.environ["PATH"]}) as process:
        await process.wait()
    assert "A=1\n" in process.output
    assert "LC_CTYPE" not in process.output  # Python adds it in a C locale
    async with started(sh("kill -PIPE $$"), cwd=tmp_path) as process:
        assert await process.wait() == -signal.SIGPIPE  # Python ignores it
    async with started(sh("pwd; cat"), cwd=tmp_path) as process:
        assert await process.wait() == 0  # its stdin is empty
    assert process.output == f"{tmp_path}\n"


async def test_without_capture_it_shares_our_streams(capfd):
    async with started(sh("echo hello; echo there >&2"), capture=False, new_group=False) as process:
        assert await process.wait() == 0
        assert process.output == ""
    assert capfd.readouterr() == ("hello\n", "there\n")


async def test_many_wait_and_some_of_them_are_cancelled(child):
    codes = []

    async def wait(process):
        codes.append(await process.wait())

    async with child(sh(STAY)) as process, anyio.create_task_group() as group:
        with anyio.move_on_after(0):
            await process.wait()
        for _ in range(3):
            group.start_soon(wait, process)
        process.send_signal(signal.SIGINT)
    assert codes == [-signal.SIGINT] * 3
    process.send_signal(signal.SIGKILL)  # no error when it is gone
    assert await process.terminate(0) == -signal.SIGINT


async def test_terminate_is_graceful_at_first(child):
    with nothing_left():
        async with child(sh(GRACEFUL)) as process:
            await said(process)
            assert await process.terminate(LIMIT) == 7


async def test_terminate_kills_what_ignores_it(child):
    with nothing_left():
        async with child(sh(STUBBORN)) as process:
            await said(process)
            assert await process.terminate(0.05) == -signal.SIGKILL


async def test_terminate_kills_at_once_when_cancelled(child):
    async with child(sh(STUBBORN)) as process:
        await said(process)
        with anyio.move_on_after(0.05) as scope:
            await process.terminate(600)
        assert scope.cancelled_caught
        assert process.returncode == -signal.SIGKILL


async def test_the_group_goes_with_the_process(child):
    async with child(sh("sleep 600 & echo $!; wait")) as process:
        await said(process, "\n")
        grandchild = number(process)
        assert exists(grandchild)
        os.kill(process.pid, signal.SIGKILL)  # the leader alone
        await process.wait()
        await until(lambda: not exists(grandchild))


async def test_terminate_reaches_a_grandchild(child):
    stubborn = (
        "import os, signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print(os.getpid(), flush=True); s.pause()"
    )
    async with child(["sh", "-c", '"$@" & wait', "sh", *python(stubborn)]) as process:
        await said(process, "\n")
        assert await process.terminate(LIMIT) == -signal.SIGTERM
        await until(lambda: not exists(number(process)))


async def test_a_descendant_that_keeps_the_pipe_does_not_keep_us(child):
    script = "import subprocess as s; p = s.Popen(['sleep', '600'], start_new_session=True); print('pid', p.pid, flush=True)"
    with nothing_left():
        async with child(python(script)) as process:
            assert await process.wait() == 0
        os.kill(number(process), signal.SIGKILL)


async def test_a_process_may_close_its_output_and_stay(child):
    with nothing_left():
        async with child(sh("echo ready; exec sleep 600 >&- 2>&-")) as process:
            await said(process)
            with anyio.move_on_after(0.05):
                await process.wait()
            assert process.returncode is None
            await process.kill()


@pytest.mark.parametrize(
    ("script", "grace", "code"),
    [(GRACEFUL, LIMIT, 7), (STUBBORN, 0.05, -signal.SIGKILL)],
    ids=["graceful", "killed"],
)
async def test_leaving_by_cancellation_leaves_nothing(child, script, grace, code):
    with nothing_left():
        with anyio.CancelScope() as scope:
            async with child(sh(script), grace=grace) as process:
                await said(process)
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert process.returncode == code


@pytest.mark.parametrize("delay", [0, 0.001, 0.003, 0.01, 0.02, 0.04])
async def test_cancelled_at_any_moment_leaves_nothing(child, delay):
    with nothing_left(), anyio.move_on_after(delay):
        async with child(sh(STAY)) as process:
            await process.wait()


async def test_no_checkpoint_between_the_start_and_the_body(monkeypatch):
    scope = anyio.CancelScope()

    def popen(*args, **options):
        scope.cancel()
        return start(*args, **options)

    start = spawn.Popen
    monkeypatch.setattr(spawn, "Popen", popen)
    known = []
    with scope:
        async with started(sh(STAY)) as process:
            known.append(process)
            await anyio.sleep_forever()
    assert [process.returncode for process in known] == [-signal.SIGTERM]


async def test_an_error_of_the_body_leaves_as_itself(child):
    with pytest.raises(LookupError, match="mine") as caught:
        async with child(sh(STAY)):
            raise LookupError("mine")
    assert caught.value.__cause__ is None


async def test_an_error_of_the_body_survives_a_cancellation(child, monkeypatch):
    async def lingering(process, scope):
        await watch(process, scope)
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.01)  # so that the cancellation reaches the closing group

    watch = module.ChildProcess.watch
    monkeypatch.setattr(module.ChildProcess, "watch", lingering)

    async def body(scope):
        async with child(sh(STAY)):
            scope.cancel()
            raise LookupError("mine")

    with anyio.CancelScope() as scope:
        with pytest.raises(LookupError, match="mine"):
            await body(scope)


async def test_a_process_that_survives_sigkill_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "_KILL_WAIT", 0.02)
    monkeypatch.setattr(module.ChildProcess, "_signal", lambda *_: None)
    error = LookupError("mine")
    with pytest.raises(ClusterError, match=r"still there 0\.02 s after SIGKILL") as caught:
        async with started(sh(STAY), grace=0) as process:
            raise error
    assert caught.value.__cause__ is error
    with pytest.raises(ClusterError, match="given up"):
        await process.wait()
    process._spawned._popen.kill()
    process._spawned._popen.wait()


async def test_processes_as_tasks():
    codes = []

    async def run(script):
        codes.append(await run_process(child_process(sh(script))))

    with nothing_left():
        async with anyio.create_task_group() as group:
            process = await group.start(run_process, child_process(sh(STAY)))
            for code in range(5):
                group.start_soon(run, f"exit {code}")
            await until(lambda: len(codes) == 5)
            assert process.returncode is None
            group.cancel_scope.cancel()
        assert sorted(codes) == [0, 1, 2, 3, 4]
        assert process.returncode == -signal.SIGTERM


async def test_more_processes_than_the_thread_limiter_admits(monkeypatch):
    monkeypatch.setattr(spawn, "open_pidfd", lambda _pid: None)
    monkeypatch.setattr(anyio.to_thread.current_default_thread_limiter(), "total_tokens", 1)
    async with started(sh(STAY)), started(sh("exit 1")) as one, started(sh("exit 2")) as two:
        assert [await one.wait(), await two.wait()] == [1, 2]


PARENT = """
import sys, anyio
from trio_adaptive.clusters.forkserver import fork_server
from trio_adaptive.clusters.process import child_process
async def main():
    async with child_process(["sh", "-c", "echo ready; exec sleep 600"]) as process:
        while not process.output:  # or the launcher could notice by itself
            await anyio.sleep(0.005)
        print(process.pid, flush=True)
        await process.wait()
anyio.run(main, backend=sys.argv[1])
"""


@linux
async def test_the_child_dies_with_its_parent(anyio_backend):
    async with started(python(PARENT, anyio_backend)) as parent:
        await said(parent, "\n")
        orphan = os.pidfd_open(number(parent))
        try:
            os.kill(parent.pid, signal.SIGKILL)  # the parent alone; its child is in another group
            await anyio.wait_readable(orphan)
        finally:
            os.close(orphan)


@linux
async def test_the_end_of_a_thread_is_not_the_death_of_the_parent(monkeypatch):
    starters = []

    def popen(*args, **options):
        starters.append(threading.current_thread())
        return start(*args, **options)

    start = spawn.Popen
    monkeypatch.setattr(spawn, "Popen", popen)
    async with started(sh("echo ready; exec sleep 600")) as process:
        await said(process)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        assert process.returncode is None
        assert exists(process.pid)
    assert starters == [threading.current_thread()]


@linux
async def test_a_launcher_whose_parent_is_gone_starts_nothing():
    async with started(
        [sys.executable, "-I", "-S", spawn._LAUNCHER, "1", str(int(signal.SIGKILL)), "", "echo", "started"]
    ) as process:
        assert await process.wait() == 1
    assert process.output == "trio_adaptive: the parent, process 1, is gone; not started\n"
