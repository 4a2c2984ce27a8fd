"""A service that ends by itself, since a setting says so, with an exit code of its own."""

from __future__ import annotations

import os
import signal

import pytest
from distributed import Client

pytestmark = pytest.mark.integration

PLAIN = ("--no-dashboard", "--plain")

SUMMING = """
from distributed import Client

if __name__ == "__main__":
    with Client() as client:
        print(sum(client.gather(client.map(abs, range(9)))))
"""


@pytest.fixture
def config(tmp_path):
    def write(**options):
        path = tmp_path / "config.toml"
        path.write_text("[adaptive]\n" + "".join(f"{name} = {value!r}\n" for name, value in options.items()))
        return str(path)

    return write


@pytest.mark.parametrize("command", ["run", "up"])
def test_launches_that_go_on_failing_end_it_with_code_4(service, script, config, command):
    options = config(on_breaker="end", breaker_failures=2, retry_delay=0.1, minimum=1)
    failing = ("--worker-command", "sh -c 'echo no licence today; exit 3'")
    more = ("--", *script(SUMMING)) if command == "run" else ()
    running = service(command, *PLAIN, "--config", options, *failing, *more)
    assert running.wait() == 4
    assert "trio-adaptive: 2 launches in a row have failed" in running.errors
    assert "no licence today" in running.errors
    running.assert_nothing_left()


def test_a_scheduler_that_stands_still_ends_it_with_code_5(service, config):
    theirs = service(
        "up", *PLAIN, "--cold", "--maximum", "1"
    )  # so that the scheduler is all that it has started
    address = theirs.address()
    theirs.process.send_signal(signal.SIGSTOP)  # it adapts no longer, and its scheduler has another driver
    (scheduler,) = theirs.descendants()
    options = config(scheduler_timeout=2, call_timeout=1, minimum=1)
    ours = service("up", *PLAIN, "--scheduler", address, "--take-over", "--config", options, "--maximum", "1")
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    os.kill(scheduler, signal.SIGSTOP)
    try:
        assert ours.wait() == 5
    finally:
        os.kill(scheduler, signal.SIGCONT)
        theirs.process.send_signal(signal.SIGCONT)
    assert "the scheduler has not answered for 2 s (scheduler_timeout)" in ours.errors
    ours.assert_nothing_left()
