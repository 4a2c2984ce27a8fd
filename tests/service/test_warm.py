"""Forked workers as a user of the command line meets them: that they are, what works in them, and who may die when."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest
from distributed import Client

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs"),
]

PLAIN = ("--no-dashboard", "--plain")

WORK = """
import sys, time
from distributed import Client

def nap(i):
    time.sleep(0.05)
    return i

if __name__ == "__main__":
    with Client() as client:
        print("connected", flush=True)
        assert client.gather(client.map(nap, range(100))) == [*range(100)]
"""

LIBRARIES = """
import concurrent.futures, multiprocessing, os, random, subprocess, sys, threading
import numpy, pandas
from distributed import Client, worker_client

def numbers(i):
    work = lambda: float(numpy.trace(numpy.ones((300, 300)) @ numpy.ones((300, 300))))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        traces = [future.result() for future in [pool.submit(work) for _ in range(8)]]
    frame = pandas.DataFrame({"group": [1, 2] * 1000, "value": range(2000)})
    return traces == [90000.0] * 8 and frame.groupby("group").value.sum().tolist() == [999000, 1000000]

def forks(i):
    pid = os.fork()
    if not pid:
        os._exit(7)
    answers = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]
    answers.append(subprocess.run([sys.executable, "-c", "raise SystemExit(8)"]).returncode)
    for method in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=os._exit, args=(9,))
        process.start()
        process.join()
        answers.append(process.exitcode)
    return answers == [7, 8, 9, 9, 9]

def seeds(i):
    import time
    time.sleep(0.2)  # so that every worker gets some
    return os.getpid(), random.random(), numpy.random.random()

def nested(i):
    with worker_client() as client:
        return client.submit(sum, [i, 1]).result()

if __name__ == "__main__":
    with Client() as client:
        client.wait_for_workers(2)
        assert all(client.gather(client.map(numbers, range(8)))), "numbers"
        assert all(client.gather(client.map(forks, range(4)))), "forks"
        assert client.gather(client.map(nested, range(4))) == [1, 2, 3, 4]
        drawn = client.gather(client.map(seeds, range(8)))
        assert len({pid for pid, *_ in drawn}) == 2
        assert len({value for _, *values in drawn for value in values}) == 16
        print("all well")
"""


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def fork_servers(service):
    found = [pid for pid in service.descendants() if b"_fork_server" in command_line(pid)]
    return [pid for pid in found if parent(pid) == service.process.pid]


def forked(service):
    servers = fork_servers(service)
    return [pid for pid in service.descendants() if parent(pid) in servers]


def workers(address):
    with Client(address, set_as_default=False) as client:
        return client.scheduler_info(n_workers=-1)["workers"]


def test_workers_are_forked_unless_told_otherwise(service):
    for more, is_forked in [((), True), (("--cold",), False)]:
        running = service("up", "--minimum", "2", *more, *PLAIN)
        address = running.address()
        running.until(lambda address=address: len(workers(address)) == 2, "two workers")
        assert len(forked(running)) == (2 if is_forked else 0)
        assert ("forked from process" in running.errors) == is_forked
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
        running.assert_nothing_left()


def test_numerical_libraries_forks_and_threads_work_in_tasks(service, script):
    options = ("--preload", "numpy,pandas", "--minimum", "2", "--maximum", "2")
    running = service("run", *options, *PLAIN, "--", *script(LIBRARIES))
    assert running.wait() == 0, running.errors
    assert running.output == "all well\n"
    assert "distributed.cli.dask_worker, numpy, pandas" in running.errors
    assert "not forked" not in running.errors
    running.assert_nothing_left()


def test_an_import_that_starts_a_thread_is_told_and_the_workers_come_all_the_same(service, script, tmp_path):
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    (tmp_path / "busy.py").write_text(code)
    options = ("--preload", "busy", "--maximum", "1")
    running = service("run", *options, *PLAIN, "--", *script(WORK), PYTHONPATH=str(tmp_path))
    assert running.wait() == 0, running.errors
    assert (
        "not forked, but started anew, which is slower: importing busy has started a thread" in running.errors
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preload", "no_such_module,numpy,neither.nor"], "there is no module 'no_such_module'"),
        (["--preload", "no_such_module,numpy,neither.nor"], "there is no module 'neither.nor'"),
        (["--preload", "numpy", "--cold"], "--preload: with --cold or --worker-command"),
        (["--preload", "numpy", "--worker-command", "w {address} {name}"], "--preload: with --cold"),
        (["--preload", "numpy pandas"], "no list of modules"),
    ],
)
def test_what_cannot_be_preloaded_is_told_at_once(service, arguments, message):
    running = service("up", *arguments)
    assert running.wait() == 2
    assert message in running.errors


def test_a_signal_reloads(service, tmp_path):
    (tmp_path / "mine.py").write_text("value = 1\n")
    options = ("--preload", "mine", "--maximum", "1", *PLAIN)
    running = service("up", *options, PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")

    def seen(address):
        with Client(address, set_as_default=False) as client:
            return client.submit(lambda: __import__("mine").value, pure=False).result(timeout=60)

    address = running.address()
    assert seen(address) == 1
    running.until(lambda: not workers(address), "no worker")
    (tmp_path / "mine.py").write_text("value = 22\n")
    running.process.send_signal(signal.SIGUSR1)
    running.until(lambda: running.errors.count("forked from process") == 2, "a second fork server")
    assert seen(address) == 22
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    running.assert_nothing_left()


@pytest.mark.parametrize("victim", ["server", "worker"])
@pytest.mark.parametrize("turn", range(3))
def test_the_work_is_done_whoever_is_killed(service, script, victim, turn):
    running = service("run", "--maximum", "2", *PLAIN, "--", *script(WORK))
    running.until(lambda: running.output, "a client")
    delay = random.Random(f"{victim}-{turn}").uniform(0, 1.5)
    find = fork_servers if victim == "server" else forked
    (pid, *_) = running.until(lambda: find(running), victim)
    with pytest.raises(Exception, match="timed out"):
        running.process.wait(delay)
    os.kill(pid, signal.SIGKILL)
    assert running.wait() == 0, running.errors
    running.assert_nothing_left()
