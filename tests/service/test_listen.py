"""Where the service listens, and where it refuses to."""

from __future__ import annotations

import re
import signal
import socket

import httpx
import pytest

from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.listen import Address, is_loopback, parse_address

PLAIN = ("--no-dashboard", "--plain", "--maximum", "1")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8788", "127.0.0.1", 8788),
        ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65535),
        ("example.org:80", "example.org", 80),
    ],
)
def test_an_address_is_read_and_written_alike(text, host, port):
    address = parse_address(text)
    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "8788", ":8788", "::1:80", "host:", "host:x", "host:65536", "h:-1", "h:٣"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"HOST:PORT|no port"):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_is_known(host):
    assert is_loopback(Address(host, 80))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - that is what is not
def test_what_others_reach_is_no_loopback(host):
    assert not is_loopback(Address(host, 80))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300])
def test_a_name_that_nobody_knows_is_refused(host):
    with pytest.raises(ConfigurationError, match="--listen"):
        is_loopback(Address(host, 80))


def url_of(running):
    running.address()
    return re.search(r"Service    (http://\S+)", running.output)[1]


@pytest.mark.integration
def test_up_answers_over_http_until_it_ends(service):
    running = service("up", "--listen", "127.0.0.1:0", *PLAIN)
    url = url_of(running)
    running.until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "ready")
    status = httpx.get(f"{url}/api/v1/clusters/default").json()
    assert status["scheduler"] == running.address()
    assert status["maximum"] == 1
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    running.assert_nothing_left()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


@pytest.mark.integration
def test_a_cluster_by_a_file_answers_as_well(service, tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "version: 1\nmodule: distributed\nclass: LocalCluster\n"
        "kwargs: {n_workers: 0, dashboard_address: null}\n"
    )
    running = service("up", str(file), "--listen", "127.0.0.1:0", "--plain", "--maximum", "1")
    url = url_of(running)
    running.until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "ready")
    assert httpx.get(f"{url}/api/v1/clusters/default").json()["scheduler"] == running.address()
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.integration
def test_nothing_listens_where_that_is_not_wanted(service):
    running = service("up", "--no-listen", *PLAIN)
    running.address()
    assert "Service" not in running.output
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.integration
def test_a_port_that_was_asked_for_and_is_taken_is_an_error(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        running = service("up", "--listen", address, *PLAIN)
        assert running.wait() == 2
    assert f"--listen: {address}: Address already in use" in running.errors
    running.assert_nothing_left()


def test_beyond_this_machine_up_refuses_and_says_all_that_is_missing(service):
    running = service("up", "--listen", "0.0.0.0:0", *PLAIN)
    assert running.wait() == 2
    assert "2 mistakes" in running.errors
    assert "--tls-cert, --tls-key: is missing" in running.errors
    assert "--tls-client-ca, --tokens: is missing" in running.errors
    running.assert_nothing_left()
