"""What systemd is told."""

from __future__ import annotations

import os
import signal
import socket

import pytest
import trio

from trio_adaptive.service.notify import Notifier, notifier_of_environment


@pytest.fixture(params=["a path", "an abstract name"])
def systemd(request, tmp_path):
    """A socket as systemd has it: gives its address, and reads what has come."""
    address = str(tmp_path / "notify") if request.param == "a path" else f"@trio-adaptive-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address.replace("@", "\0"))
        line.settimeout(60)
        yield address, lambda: line.recv(4096).decode().split("\n")


def test_lines_arrive(systemd):
    address, read = systemd
    notifier = Notifier(address)
    notifier.ready("two clusters")
    assert read() == ["READY=1", "STATUS=two clusters"]
    notifier.reloading()
    first, second = read()
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()
    notifier.stopping()
    assert read() == ["STOPPING=1"]


def test_where_nobody_listens_nothing_happens(tmp_path):
    Notifier().ready("")
    Notifier(str(tmp_path / "nobody")).ready("")


@pytest.mark.trio
async def test_the_watchdog_is_fed_often_enough(systemd, autojump_clock):
    address, read = systemd
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Notifier(address, 30.0).keep_alive)
        await trio.sleep(25)
        nursery.cancel_scope.cancel()
    assert [read() for _ in range(3)] == [["WATCHDOG=1"]] * 3


@pytest.mark.parametrize(
    ("given", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_environment_says_so_to_us_alone(monkeypatch, given, watchdog):
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"NOTIFY_SOCKET": "/run/x", **given}.items():
        monkeypatch.setenv(name, value)
    assert notifier_of_environment() == Notifier("/run/x", watchdog)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


@pytest.mark.integration
def test_a_service_tells_that_it_is_ready_reloads_and_stops(service, systemd, tmp_path):
    address, read = systemd
    file = tmp_path / "service.toml"
    file.write_text("[service]\nlisten = false\n[cluster]\ndashboard_address = false\n")

    def until(line):
        while line not in (lines := read()):
            pass
        return lines

    running = service("up", str(file), "--plain", NOTIFY_SOCKET=address, WATCHDOG_USEC="600000")
    until("READY=1")
    running.process.send_signal(signal.SIGHUP)
    until("RELOADING=1")
    until("READY=1")
    until("WATCHDOG=1")
    running.process.send_signal(signal.SIGTERM)
    until("STOPPING=1")
    assert running.wait() == 0
