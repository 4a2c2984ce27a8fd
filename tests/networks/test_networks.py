"""A network that is slow or lossy: nothing is lost, nothing is started twice. And the tests' own network itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest
from figures import PAGE
from network_scenes import BAD_LINES, SCENES, as_expected, play
from switched_hosts import a_network

pytestmark = [pytest.mark.networks, pytest.mark.usefixtures("may_have_networks")]

CONNECT = """
import socket, sys
with socket.create_connection((sys.argv[1], 9999), timeout=float(sys.argv[2])) as stream:
    print(stream.recv(5).decode())
"""
LISTEN = """
import socket
with socket.create_server(("", 9999)) as server:
    print("listens", flush=True)
    while True:
        stream, _ = server.accept()
        with stream:
            stream.sendall(b"hello")
"""


@pytest.fixture
def two_hosts():
    """The network, and a function that connects from one host to the other: what was said, or None."""
    with a_network("here", "there") as network:
        listen = [*network.command("there"), sys.executable, "-c", LISTEN]
        with subprocess.Popen(listen, stdout=subprocess.PIPE) as server:
            assert server.stdout.readline() == b"listens\n"

            def said(patience):
                connect = [sys.executable, "-c", CONNECT, network.addresses["there"], str(patience)]
                done = subprocess.run(
                    [*network.command("here"), *connect], capture_output=True, text=True, check=False
                )
                return done.stdout.strip() or None

            yield network, said
            server.terminate()


@pytest.mark.parametrize("directions", [{}, {"sends": True}, {"receives": True}])
def test_what_is_cut_is_cut_and_heals(two_hosts, directions):
    network, said = two_hosts
    assert said(20) == "hello"
    network.cables["there"].cut(**directions)
    assert said(1) is None
    network.cables["there"].heal()
    assert said(20) == "hello"


def test_a_delay_is_one(two_hosts):
    network, said = two_hosts
    assert said(20) == "hello"
    network.cables["there"].delay = 0.7
    assert said(1) is None  # a round trip takes longer
    assert said(20) == "hello"


def test_no_trace_is_left_and_nobody_else_is_on_that_network():
    threads, names = set(threading.enumerate()), {name for _, name in socket.if_nameindex()}
    with a_network("here") as network:
        assert {name for _, name in socket.if_nameindex()} == names
        token = network.token
        seen = [*network.command("here"), "ip", "-brief", "link"]
        assert {line.split()[0] for line in _output(*seen)} == {"lo", "eth0"}
    assert set(threading.enumerate()) == threads
    assert not [line for line in _output("ip", "netns", "list") if line.startswith(token)]


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("scene", BAD_LINES, ids=lambda scene: scene.name)
def test_it_is_survived(scene, tmp_path):
    assert as_expected(scene, play(scene, tmp_path)) == []


def test_the_table_in_the_documentation_has_them_all():
    page = PAGE.read_text()
    assert [scene.name for scene in SCENES if f"| {scene.name} |" not in page] == []
