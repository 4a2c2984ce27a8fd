"""Whatever ends the service, and whenever: no process stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs the parent-death signal"),
]

ROUNDS = int(os.environ.get("TRIO_ADAPTIVE_KILL_ROUNDS", "3"))
"""How many random moments for each signal; 20 were tried before the first release."""

LONGEST = 4.0
"""Seconds after the start in which the moments lie: from the first import to workers in the middle of their tasks."""

WORK = """
import time
from distributed import Client

def nap(i):
    time.sleep(0.3)
    return i

if __name__ == "__main__":
    with Client() as client:
        client.gather(client.map(nap, range(1000)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("way", [(), ("--cold",)], ids=["warm", "cold"])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_signal_at_any_moment_leaves_no_process(service, script, number, way, turn):
    moment = random.Random(f"{number}-{way}-{turn}").uniform(0, LONGEST)
    running = service("run", "--maximum", "3", "--no-dashboard", "--plain", *way, "--", *script(WORK))
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(moment)
    running.process.send_signal(number)
    code = running.wait()
    running.assert_nothing_left()
    assert code != 0
