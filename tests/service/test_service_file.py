"""``up service.toml`` as an operator meets it: several clusters, SIGHUP, check, JSON lines."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from distributed import Client

pytestmark = pytest.mark.integration

TWO = """
[service]
listen = false
maximum = 3
[adaptive]
maximum = 2
interval = "100ms"
[clusters.blue]
dashboard_address = false
[clusters.green]
dashboard_address = false
"""

ONE = """
[service]
listen = false
[adaptive]
maximum = 1
[cluster]
dashboard_address = false
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "service.toml"
    file.write_text(ONE)
    return file


def addresses(running, number):
    """The addresses of all schedulers, once so many are up."""

    def told():
        lines = [line.split()[1] for line in running.output.splitlines() if line.startswith("Scheduler")]
        return lines if len(lines) == number else None

    return running.until(told, "addresses")


def compute(address):
    with Client(address, set_as_default=False) as client:
        return client.submit(sum, [40, 2]).result(timeout=60)


def test_two_clusters_in_one_service_end_together(service, file):
    file.write_text(TWO)
    running = service("up", str(file), "--plain")
    assert [compute(address) for address in addresses(running, 2)] == [42, 42]
    assert "[blue] " in running.errors
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    running.assert_nothing_left()


def test_hanging_up_reads_the_file_again(service, file):
    running = service("up", "-c", str(file), "--plain")
    assert compute(running.address()) == 42
    file.write_text(ONE.replace("maximum = 1", "maximum = 3\nname = 'x'"))
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: "Reloaded: cluster.adaptive.maximum" in running.errors, "the new maximum")
    running.until(lambda: "only after a restart: cluster.adaptive.name" in running.errors, "the name")
    file.write_text(ONE.replace("maximum = 1", "maximum = -3"))
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: "cluster.toml" in running.errors or "is -3" in running.errors, "the mistake")
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    running.assert_nothing_left()


def test_it_ends_with_its_terminal(file):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "trio_adaptive", "up", "-c", str(file), "--plain"])  # noqa: S606
    told = b""
    while b"Connect" not in told:
        told += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status), "it has ended its cluster before"
    assert os.waitstatus_to_exitcode(status) == 0


def test_json_lines(service, file):
    running = service("up", str(file), "--plain", "--log-format", "json")
    compute(running.address())
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    lines = [json.loads(line) for line in running.errors.splitlines()]
    assert {"level", "logger", "message", "time"} <= lines[0].keys()
    assert any("launching" in line["message"] for line in lines)


@pytest.mark.parametrize(
    ("text", "code", "part"), [(ONE, 0, "right: "), (ONE + "port = 'x'", 2, "cluster.port")]
)
def test_check_tells_and_starts_nothing(file, text, code, part):
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "trio_adaptive", "check", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert part in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
