"""The command line, as a user meets it: real schedulers, real workers, exit codes, messages."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from distributed import Client

from trio_adaptive.cli import main

pytestmark = pytest.mark.integration

PLAIN = ("--no-dashboard", "--plain")

SUMMING = """
import sys
from distributed import Client

if __name__ == "__main__":
    with Client() as client:
        print(sum(client.gather(client.map(abs, range(-20, 1)))))
    sys.exit(7)
"""

WAITING = """
import time
from distributed import Client

if __name__ == "__main__":
    with Client() as client:
        running = client.submit(time.sleep, 3600)
        print("submitted", flush=True)
        running.result()
"""


def workers(address):
    with Client(address, set_as_default=False) as client:
        return client.scheduler_info(n_workers=-1)["workers"]


def compute(address):
    with Client(address, set_as_default=False) as client:
        return client.submit(sum, [40, 2]).result(timeout=60)


def test_run_gives_a_script_a_cluster_and_passes_its_exit_code_on(service, script):
    running = service("run", "--maximum", "2", *PLAIN, "--", *script(SUMMING))
    assert running.wait() == 7
    assert running.output == "210\n"
    assert "launching" in running.errors
    report = running.errors[running.errors.index("Workers over") :]
    for line in ("Paid", "busy", "idle", "starting", "Ideal", "Fixed size", "Peak", "Started", "Stopped"):
        assert line in report
    running.assert_nothing_left()


def test_run_quiet_says_nothing_of_its_own(service, script):
    running = service("run", "--quiet", "--no-dashboard", "--", *script(SUMMING))
    assert running.wait() == 7
    assert running.errors == ""


def test_a_script_that_cannot_be_started_has_the_exit_code_of_a_shell(service):
    running = service("run", *PLAIN, "--", "no-such-command")
    assert running.wait() == 127
    assert "no-such-command" in running.errors


def test_a_script_killed_by_a_signal_exits_as_in_a_shell(service, script):
    running = service("run", *PLAIN, "--", *script("import os; os.kill(os.getpid(), 9)"))
    assert running.wait() == 128 + signal.SIGKILL


def test_a_signal_is_passed_on_to_the_script(service, script):
    running = service("run", "--maximum", "1", *PLAIN, "--", *script(WAITING))
    running.until(lambda: "submitted" in running.output, "the script's first line")
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 128 + signal.SIGTERM
    running.assert_nothing_left()


def test_up_serves_until_it_is_told_to_end(service):
    running = service("up", "--maximum", "1", *PLAIN)
    assert compute(running.address()) == 42
    running.process.send_signal(signal.SIGINT)
    assert running.wait() == 0
    running.assert_nothing_left()


def test_up_tells_the_link_to_the_dashboard(service):
    running = service("up", "--plain")
    running.address()
    assert "Dashboard  http://127.0.0.1:" in running.until(lambda: running.output, "greeting")
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0


def test_a_second_signal_ends_it_at_once(service, script):
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(3600)"
    running = service("run", *PLAIN, "--", *script(stubborn))
    running.until(lambda: running.output, "the script's first line")
    running.process.send_signal(signal.SIGTERM)
    with pytest.raises(Exception, match="timed out"):
        running.process.wait(1)
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == -signal.SIGTERM


def test_attached_workers_come_and_leave_in_good_order(service):
    host = service("up", "--minimum", "0", "--maximum", "0", *PLAIN)
    address = host.address()
    guest = service(
        "up", "--scheduler", address, "--take-over", "--minimum", "2", "--maximum", "2", "--plain"
    )
    host.until(lambda: len(workers(address)) == 2, "two workers")
    with Client(address, set_as_default=False) as client:
        numbers = client.scatter([1, 2, 3])
        guest.process.send_signal(signal.SIGTERM)
        assert guest.wait() == 0
        left = client.scheduler_info(n_workers=-1)["workers"]
        assert len(left) <= 1  # the last one may hold the only copies, until its service ends it
        assert len(numbers) == 3
    guest.assert_nothing_left()
    assert host.process.poll() is None


def test_a_scheduler_that_dies_ends_the_service_with_its_last_words(service):
    running = service("up", "--minimum", "1", *PLAIN)
    address = running.address()
    running.until(lambda: len(workers(address)) == 1, "a worker")
    listening = [pid for pid in running.descendants() if b"dask_scheduler" in _command_line(pid)]
    os.kill(listening[0], signal.SIGKILL)
    assert running.wait() == 3
    assert "the scheduler ended by itself (killed by SIGKILL)" in running.errors
    assert "Traceback" not in running.errors
    running.assert_nothing_left()


def _command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_worker_that_cannot_start_is_told_with_its_last_output(service):
    command = "python -c 'raise SystemExit(\"no licence\")' {address} {name}"
    running = service("up", "--minimum", "1", "--worker-command", command, *PLAIN)
    running.until(lambda: "no licence" in running.errors, "the worker's last output")
    retry = re.compile(r"Launch failed \(1 in a row\), next in [01]\.\d s")  # pauses differ a little
    running.until(lambda: retry.search(running.errors), "the next attempt to be told")
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0


def test_every_mistake_is_told_at_once_and_nothing_is_started(service):
    running = service(
        "up", "--minimum", "5", "--maximum", "2", "--interval", "soon", "--config", "/no/such.toml"
    )
    assert running.wait() == 2
    for part in ("3 mistakes", "minimum is 5, but maximum is 2", "'soon'", "/no/such.toml"):
        assert part in running.errors
    assert running.output == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "COMMAND"),
        (["up", "--port", "70000"], "0 to 65535"),
        (["up", "--nthreads", "0"], "1 to 1024"),
        (["up", "--worker-command", "worker {adress}"], "{address} and {name}"),
        (["up", "--worker-command", ""], "{address} and {name}"),
        (["down"], "invalid choice"),
    ],
)
def test_wrong_usage_says_what_is_allowed(capsys, arguments, message):
    try:
        code = main(arguments)
    except SystemExit as ended:  # of argparse
        code = ended.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_the_configuration_file_is_read_and_arguments_win(service, tmp_path):
    file = tmp_path / "adaptive.toml"
    file.write_text('[adaptive]\nminimum = 2\nmaximum = 1\nidle-timeout = "soon"\n')
    running = service("up", "--maximum", "3", "--config", str(file))
    assert running.wait() == 2
    assert "1 mistake" in running.errors
    assert f"{file}: adaptive.idle-timeout" in running.errors


def test_the_output_of_each_worker_can_be_kept(service, tmp_path):
    running = service("up", "--minimum", "1", "--worker-logs", str(tmp_path / "logs"), *PLAIN)
    address = running.address()
    running.until(lambda: len(workers(address)) == 1, "a worker")
    (log,) = (tmp_path / "logs").iterdir()
    assert "Registered to" in log.read_text()
