"""Processes that are forked: what is theirs alone, what they have like any other, and who cannot be forked from.

That they are looked after like any other process, see `test_process`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import anyio
import pytest
from leftovers import children, descriptors

from trio_adaptive.clusters import forkserver as module
from trio_adaptive.clusters.forkserver import NoForkServerError, UnsupportedError, fork_server
from trio_adaptive.clusters.process import child_process
from trio_adaptive.errors import ClusterError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what it needs"),
]

LIMIT = 60.0  # seconds, for a machine with much else to do
HELPERS = Path(__file__).parents[1]


@pytest.fixture
def env(tmp_path):
    """An environment in which the modules of a test are found."""
    return {**os.environ, "PYTHONPATH": f"{HELPERS}{os.pathsep}{tmp_path}"}


@pytest.fixture(autouse=True)
def _nothing_left():
    before = children(), descriptors()
    yield
    assert (children(), descriptors()) == before


@contextlib.asynccontextmanager
async def serving(env, *preload):
    with anyio.fail_after(LIMIT):
        async with fork_server("executes", preload, env=env) as server:
            yield server


async def output_of(server, code):
    async with server.worker([code]) as process:
        assert await process.wait() == 0, process.output
    return process.output


async def said(process, text):
    while text not in process.output:
        assert process.returncode is None, process.output
        await anyio.sleep(0.005)


def children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def open_in(pid):
    return {file.name for file in Path(f"/proc/{pid}/fd").iterdir()}


OPEN = """
import json, os
print(json.dumps({n: os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')}))
"""


async def test_a_worker_has_its_standard_streams_and_nothing_else_open(env):
    async with serving(env, "socket", "logging") as server, server.worker(["input()"]):
        found = json.loads(await output_of(server, OPEN))
    assert found.keys() == {"0", "1", "2"}
    assert found["0"] == "/dev/null"
    assert found["1"] == found["2"]
    assert found["1"].startswith("pipe:")


async def test_each_worker_has_an_output_of_its_own(env, tmp_path):
    async with serving(env) as server:
        codes = [f"import sys; print({i}); print({i}, file=sys.stderr); sys.exit({i})" for i in range(4)]
        async with contextlib.AsyncExitStack() as stack:
            opening = [server.worker([code], log=tmp_path / f"log-{i}") for i, code in enumerate(codes)]
            workers = [await stack.enter_async_context(each) for each in opening]
            assert [await worker.wait() for worker in workers] == [0, 1, 2, 3]
    assert [worker.output.split() for worker in workers] == [[str(i)] * 2 for i in range(4)]
    assert [(tmp_path / f"log-{i}").read_text().split() for i in range(4)] == [[str(i)] * 2 for i in range(4)]


ASKED = """
import json, os, signal, sys, threading
handlers = {name: str(signal.getsignal(getattr(signal, name))) for name in ('SIGINT', 'SIGTERM', 'SIGCHLD', 'SIGPIPE')}
is_leader = os.getpid() == os.getpgrp() == os.getsid(0)
threads = os.listdir('/proc/self/task') == [str(os.getpid())]
print(json.dumps([sys.argv, sys.path, __name__, __spec__.name, sys.modules['__main__'].__name__, handlers, is_leader,
    threads, os.getcwd(), dict(os.environ), sys.flags.safe_path, signal.set_wakeup_fd(-1)]))
"""


@pytest.mark.parametrize("more", [{}, {"PYTHONSAFEPATH": "1"}])
async def test_it_finds_what_a_new_interpreter_would_find(env, more):
    env.update(more)
    async with serving(env) as server:
        forked = json.loads(await output_of(server, ASKED))
    async with child_process([sys.executable, "-m", "executes", ASKED], env=env) as process:
        assert await process.wait() == 0
    assert forked == json.loads(process.output)


CHANCE = """
import multiprocessing, numpy, random, tempfile, uuid
print(random.random(), numpy.random.random(), numpy.random.default_rng().random(), uuid.uuid4(), sep='\\n')
print(multiprocessing.current_process().authkey.hex(), next(tempfile._get_candidate_names()), sep='\\n')
"""


async def test_no_two_workers_share_their_random_state(env):
    async with serving(env, "numpy", "multiprocessing", "random", "tempfile", "uuid") as server:
        drawn = [(await output_of(server, CHANCE)).split() for _ in range(3)]
    assert [len({*values}) for values in zip(*drawn, strict=True)] == [3] * 6


async def test_preloaded_modules_are_imported_once_and_are_there(env, tmp_path):
    (tmp_path / "heavy.py").write_text("import os\npid = os.getpid()\nprint('importing')\n")
    async with serving(env, "heavy") as server:
        for _ in range(2):
            assert await output_of(server, "import heavy; print(heavy.pid)") == f"{server.process.pid}\n"
        await said(server.process, "importing")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "importing odd has started a thread, which no worker would have",
        ),
        ("import socket; s = socket.socket()", r"left open: socket:\["),
        ("f = open(__file__)", r"left open: .*odd\.py"),
        ("1 / 0", "importing odd raised ZeroDivisionError: division by zero"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import sys; sys.exit('no licence')", "importing odd raised SystemExit: no licence"),
        ("import os; print('last words', flush=True); os._exit(3)", r"(?s)exit code 3.*last words"),
    ],
)
async def test_who_cannot_be_forked_from_says_why(env, tmp_path, code, why):
    (tmp_path / "odd.py").write_text(code)
    with pytest.raises(NoForkServerError, match=why):
        async with serving(env, "odd"):
            pytest.fail("must not serve")


async def test_threads_that_end_before_a_fork_are_no_hindrance(env, tmp_path):
    code = """
import os, threading
over = threading.Event()
thread = threading.Thread(target=over.wait)
thread.start()
def end(): over.set(); thread.join()
os.register_at_fork(before=end)
"""
    (tmp_path / "careful.py").write_text(code)
    async with serving(env, "careful") as server:
        assert await output_of(server, "import careful; print(careful.thread.is_alive())") == "False\n"


async def test_imports_that_never_end_are_given_up(env, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "START_TIMEOUT", 0.3)
    (tmp_path / "slow.py").write_text("import time; time.sleep(600)")
    with pytest.raises(NoForkServerError, match=r"longer than 0\.3 s"):
        async with serving(env, "slow"):
            pytest.fail("must not serve")


async def test_a_system_without_pidfds_has_none(env, monkeypatch):
    monkeypatch.setattr(module, "open_pidfd", lambda _pid: None)
    with pytest.raises(UnsupportedError, match=r"Linux 5\.3"):
        async with serving(env):
            pytest.fail("must not serve")


async def test_no_room_for_another_process_is_an_error(env, tmp_path):
    (tmp_path / "full.py").write_text(
        "import errno, os\ndef fork(): raise OSError(errno.EAGAIN, 'no room')\nos.fork = fork\n"
    )
    async with serving(env, "full") as server:
        for _ in range(2):
            with pytest.raises(ClusterError, match="cannot fork: no room"):
                await output_of(server, "")


async def test_workers_end_with_the_server(env):
    async with (
        serving(env) as server,
        server.worker(["print('ready', flush=True); input and __import__('time').sleep(600)"]) as process,
    ):
        await said(process, "ready")
        server.process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        with pytest.raises(ClusterError, match="fork server ended: killed by SIGKILL"):
            await output_of(server, "")


async def test_a_server_that_does_not_answer_is_ended_with_its_workers(env, monkeypatch):
    async with serving(env) as server, server.worker(["import time; time.sleep(600)"]) as process:
        monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.2)
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(ClusterError, match="fork server ended: killed by SIGKILL"):
            await output_of(server, "")
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("moment", range(0, 40, 4))
async def test_a_request_that_is_cancelled_leaves_no_worker(env, moment):
    async with serving(env) as server:
        with anyio.move_on_after(moment / 2000):
            await output_of(server, "import time; time.sleep(600)")
        assert server.living == 0
        assert children_of(server.process.pid) == ""


async def test_many_starts_leave_nothing_in_the_server(env):
    async with serving(env) as server:
        before = open_in(server.process.pid)
        for i in range(100):
            async with server.worker([f"raise SystemExit({i})"]) as process:
                assert await process.wait() == i
        assert open_in(server.process.pid) == before
        assert children_of(server.process.pid) == ""


OWNER = """
import sys, anyio
from trio_adaptive.clusters.forkserver import fork_server
async def main():
    async with fork_server("executes") as server, server.worker(["import time; print(1, flush=True); time.sleep(600)"]) as worker:
        while not worker.output:
            await anyio.sleep(0.005)
        print(server.process.pid, worker.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main, backend=sys.argv[1])
"""


async def test_all_end_with_their_owner(env, anyio_backend):
    async with child_process([sys.executable, "-c", OWNER, anyio_backend], env=env) as owner:
        await said(owner, "\n")
        pidfds = [os.pidfd_open(int(pid)) for pid in owner.output.split()]
        os.kill(owner.pid, signal.SIGKILL)
        with anyio.fail_after(LIMIT):
            for pidfd in pidfds:
                await anyio.wait_readable(pidfd)
                os.close(pidfd)
    assert len(pidfds) == 2


NUMBERS = """
import threading, numpy
results = []
def work(): results.append(float(numpy.linalg.norm(numpy.eye(300) @ numpy.eye(300))))
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print([round(result, 6) for result in results] == [round(300 ** 0.5, 6)] * 4)
"""

FORKS = """
import concurrent.futures, multiprocessing, os
if __name__ == '__main__':
    for method in ('fork', 'spawn', 'forkserver'):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            print(pool.submit(abs, -1).result())
"""


async def test_numbers_with_threads_in_a_worker(env):
    async with serving(env, "numpy", "numpy.linalg") as server:
        for _ in range(2):
            assert await output_of(server, NUMBERS) == "True\n"


async def test_a_worker_may_fork_and_start_processes(env):
    async with serving(env, "multiprocessing", "concurrent.futures.process") as server:
        assert await output_of(server, FORKS) == "1\n1\n1\n"
