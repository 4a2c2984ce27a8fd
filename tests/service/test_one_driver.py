"""Two services for one scheduler: the second one is refused in one line, or takes over."""

from __future__ import annotations

import signal

PLAIN = ("--plain", "--no-dashboard", "--no-listen")


def test_a_second_service_is_refused_and_one_that_takes_over_ends_the_first(service):
    host = service("up", "--maximum", "0", *PLAIN)
    address = host.address()
    refused = service("up", "--scheduler", address, *PLAIN)
    assert refused.wait() == 2
    (line,) = refused.errors.strip().splitlines()
    assert line.startswith(f"trio-adaptive: {address} is driven by ")
    assert f"pid {host.process.pid})" in line
    assert "--take-over" in line
    refused.assert_nothing_left()
    guest = service("up", "--scheduler", address, "--take-over", "--maximum", "1", "--minimum", "1", *PLAIN)
    host.until(lambda: "No longer adapting: taken over by" in host.errors, "the end of adapting")
    guest.address()
    last = service("up", "--scheduler", address, "--take-over", "--maximum", "1", *PLAIN)
    assert guest.wait() == 0
    assert "taken over by" in guest.errors
    guest.assert_nothing_left()
    for running in (last, host):  # whoever has the scheduler goes on
        assert running.process.poll() is None
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
        running.assert_nothing_left()
