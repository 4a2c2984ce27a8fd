"""``up FILE`` as a user meets it: real clusters by their specification, and what they leave behind."""

from __future__ import annotations

import os
import signal
import time

import pytest
from distributed import Client

pytestmark = pytest.mark.integration

LOCAL = """
version: 1
module: distributed
class: LocalCluster
kwargs: {threads_per_worker: 1, dashboard_address: "127.0.0.1:0"}
adaptive: {interval: 100ms, wait-count: 1, idle-timeout: 0, maximum: 1}
"""

SPEC = """
version: 1
module: distributed
class: SpecCluster
kwargs:
  scheduler: {cls: distributed.Scheduler, options: {dashboard: false, host: 127.0.0.1}}
  worker:
    cls: distributed.Nanny
    options: {nthreads: 1, dashboard: false}
"""

USERS_OWN = """
import time
from pathlib import Path

from distributed import LocalCluster
from distributed.deploy.spec import ProcessInterface


class Slow(LocalCluster):
    def __init__(self, **kwargs):
        Path("making").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        super().__init__(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
        Path("made").touch()

    def close(self, timeout=None):
        Path("closed").touch()
        return super().close(timeout)


class Stubborn(LocalCluster):
    def close(self, timeout=None):
        if not self.asynchronous:
            Path("closing").touch()
            time.sleep(3600)
        return super().close(timeout)


class NoWorker(ProcessInterface):
    def __init__(self, scheduler, **options):
        super().__init__()

    async def start(self):
        raise RuntimeError("no queue of that name")


class Refused(LocalCluster):
    def __init__(self, **kwargs):
        raise RuntimeError("the licence server is out of licences")


class Kitchen:
    def __init__(self):
        self.workers = []

    def target(self):
        return 2

    def scale(self, n):
        self.workers += [f"cook-{i}" for i in range(len(self.workers), n)]
        Path("cooks").write_text(" ".join(self.workers))

    def scale_down(self, names):
        self.workers = [name for name in self.workers if name not in names]

    def close(self):
        Path("closed").touch()
"""


DEAF = """
import time
from pathlib import Path

while True:
    try:
        Path("importing").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users_own.py").write_text(USERS_OWN)
    return tmp_path


@pytest.fixture
def up(service, folder):
    """Starts ``up`` with a file of this text."""

    def start(text, *arguments):
        (folder / "cluster.yaml").write_text(text)
        return service("up", "cluster.yaml", "--plain", *arguments)

    return start


def own(cls):
    return f"version: 1\nmodule: users_own\nclass: {cls}\nadaptive: {{maximum: 2}}\n"


def there(running):
    def see():
        with Client(running.address(), set_as_default=False) as client:
            return client.scheduler_info(n_workers=-1)["workers"]

    return see


def ended(running, number, code=0):
    begun = time.monotonic()
    running.process.send_signal(number)
    assert running.wait() == code, running.errors
    running.assert_nothing_left()
    assert "Traceback" not in running.errors
    return time.monotonic() - begun


def test_a_local_cluster_grows_shrinks_and_ends(up):
    running = up(LOCAL)
    with Client(running.address(), set_as_default=False) as client:
        assert client.scheduler_info(n_workers=-1)["workers"] == {}
        assert client.submit(sum, [40, 2]).result(timeout=60) == 42
        running.until(lambda: not client.scheduler_info(n_workers=-1)["workers"], "no worker is left")
    assert "0 -> 1" in running.errors
    assert f"Connect    Client('{running.address()}'); Ctrl-C ends the cluster" in running.output
    ended(running, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cluster_at_work_ends_with_all_its_processes(up, number):
    running = up(LOCAL)
    with Client(running.address(), set_as_default=False) as client:
        sleeping = client.submit(time.sleep, 3600)
        running.until(lambda: any(client.processing().values()), "a task at work")
        assert sleeping.status == "pending"
    assert ended(running, number) < 25


def test_ctrl_c_of_a_terminal_is_for_the_service_alone(up):
    running = up(LOCAL, "--minimum", "1")
    running.until(there(running), "a worker")
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.wait() == 0
    running.assert_nothing_left()
    assert "KeyboardInterrupt" not in running.errors


def test_a_cluster_by_a_specification_of_its_parts(up):
    running = up(SPEC, "--minimum", "2", "--maximum", "2")
    running.until(lambda: len(there(running)()) == 2, "two workers")
    ended(running, signal.SIGTERM)


def test_a_cluster_that_cannot_start_a_worker_is_refused_with_its_name(up):
    running = up(SPEC[: SPEC.index("  worker:")], "--maximum", "2")
    assert running.wait() == 3
    assert "this SpecCluster cannot scale: it does not know how to start a worker" in running.errors
    assert "Traceback" not in running.errors
    running.assert_nothing_left()


def test_workers_that_cannot_start_are_told_and_do_not_hinder_the_end(up):
    text = SPEC.replace("cls: distributed.Nanny", "cls: users_own.NoWorker")
    running = up(text, "--minimum", "2", "--maximum", "2")
    running.until(lambda: "no queue of that name" in running.errors, "the failure")
    assert ended(running, signal.SIGTERM) < 8


def test_bounds_without_a_whole_unit_between_them_start_no_worker(up):
    text = SPEC + "    group: ['-0', '-1']\n"
    running = up(text, "--minimum", "1", "--maximum", "1")
    assert running.wait() == 2
    assert "are 1 to 1 workers, and workers come 2 at a time" in running.errors
    assert "Traceback" not in running.errors
    running.assert_nothing_left()


def test_a_constructor_that_fails_has_the_last_word(up):
    running = up(own("Refused"))
    assert running.wait() == 3
    assert "trio-adaptive: Refused raised RuntimeError: the licence server is out" in running.errors
    assert "Traceback" not in running.errors


def test_where_a_constructor_has_failed_is_told_when_asked_for(up):
    running = up(own("Refused"), "-v")
    assert running.wait() == 3
    assert "users_own.py" in running.errors


def test_a_signal_while_it_is_made_closes_what_comes_of_it(up, folder):
    running = up(own("Slow"))
    running.until((folder / "making").exists, "the constructor")
    running.process.send_signal(signal.SIGTERM)
    running.until(lambda: "Waiting 10 s at most for the Slow" in running.errors, "the answer")
    (folder / "go").touch()
    assert running.wait() == 0
    assert (folder / "made").exists()
    assert (folder / "closed").exists()
    running.assert_nothing_left()


def test_ctrl_c_gets_through_an_import(up, folder):
    (folder / "deaf.py").write_text(DEAF)
    running = up(own("Kitchen").replace("users_own", "deaf"))
    running.until((folder / "importing").exists, "the import")
    running.process.send_signal(signal.SIGINT)
    assert running.wait() == -signal.SIGINT


def test_a_second_signal_does_not_wait_for_a_stubborn_cluster(up, folder):
    running = up(own("Stubborn"))
    running.address()
    running.process.send_signal(signal.SIGTERM)
    running.until((folder / "closing").exists, "the closing")
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == -signal.SIGTERM
    running.assert_nothing_left()


def test_a_cluster_that_a_client_shuts_down_ends_the_service(up):
    running = up(LOCAL)
    begun = time.monotonic()
    with Client(running.address(), set_as_default=False) as client:
        client.shutdown()
    assert running.wait() == 3
    assert time.monotonic() - begun < 15
    assert "the scheduler of the LocalCluster has been shut down" in running.errors
    assert "Traceback" not in running.errors
    running.assert_nothing_left()


def test_a_cluster_without_dask_is_served_as_well(up, folder):
    running = up(own("Kitchen"))
    running.until((folder / "cooks").exists, "the cooks")
    running.until(lambda: (folder / "cooks").read_text() == "cook-0 cook-1", "two cooks")
    assert "Connect    nowhere: it has no scheduler" in running.output
    ended(running, signal.SIGINT)
    assert (folder / "closed").exists()


def test_mistakes_are_told_at_once_and_nothing_is_started(up, folder):
    arguments = ("--scheduler", "tcp://x:1", "--nthreads", "2", "--port", "0", "--worker-logs", "logs")
    running = up(LOCAL.replace("LocalCluster", "LocalClutser"), *arguments, "--maximum", "-1")
    assert running.wait() == 2
    assert "6 mistakes" in running.errors
    for words in ("did you mean LocalCluster", "--scheduler: makes no sense with cluster.yaml", "--port"):
        assert words in running.errors
    assert running.output == ""
    assert not (folder / "logs").exists()


def test_options_for_a_file_that_is_not_there_are_checked_as_well(service, folder):
    running = service("up", "no such file.yaml", "--interval", "soon")
    assert running.wait() == 2
    assert "2 mistakes" in running.errors
