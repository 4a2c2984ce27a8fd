"""A real Prometheus scrapes the real service: it understands everything, and has an answer to all that is asked of it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from debian_packages import program, require
from distributed import Client
from service_process import SLOW, services

pytestmark = [pytest.mark.service, pytest.mark.integration]

DEPLOY = Path(__file__).parents[2] / "docs/deploy"

ABSENT = re.compile(r"journal|lost_|failures|histogram_quantile|drain")
"""What has nothing to tell in a short and healthy life."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@contextmanager
def a_prometheus(folder, target):
    """Scrapes the target every second; gives a client of its API."""
    config = folder / "prometheus.yml"
    (folder / "alerts.yml").write_text((DEPLOY / "alerts.yml").read_text("utf-8"), "utf-8")
    config.write_text(
        f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: trio-adaptive
    static_configs: [{{targets: ["{target}"]}}]
"""
    )
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=SLOW) as client:
            yield client
    finally:
        process.terminate()
        process.wait(SLOW)


def until(condition, what):
    deadline = time.monotonic() + SLOW
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {SLOW} s"
        time.sleep(0.1)
    return value


def answer(client, path, **query):
    """What Prometheus answers; None while it does not yet."""
    try:
        told = client.get(path, params=query)
    except httpx.TransportError:
        return None
    if told.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    assert told.status_code == httpx.codes.OK, told.text
    return told.json()["data"]


def ask(client, expression):
    data = answer(client, "/query", query=expression)
    return [] if data is None else data["result"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Prometheus's API, once the service that it watches has had work and has grown."""
    require(["prometheus"])
    folder = tmp_path_factory.mktemp("scrape")
    with services(folder) as start:
        service = start("up", "--maximum", "2", "--listen", "127.0.0.1:0", "--no-dashboard", "--plain")
        target = service.url().removeprefix("http://")
        with a_prometheus(folder, target) as prometheus, Client(service.address()) as client:
            assert client.submit(sum, [1, 2]).result(SLOW) == 3
            grown = 'trio_adaptive_launches_total{outcome="registered"} > 0'
            until(lambda: ask(prometheus, grown), "a scrape after the growth")
            # A rate needs two scrapes.
            until(lambda: ask(prometheus, "rate(trio_adaptive_looks_total[30s]) > 0"), "a rate")
            yield prometheus


def test_the_scrape_is_understood(watched):
    [target] = answer(watched, "/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert ask(watched, "up")[0]["value"][1] == "1"


def test_its_sizes_are_there_by_cluster(watched):
    [busy_or_not] = ask(watched, 'sum by (cluster) (trio_adaptive_workers{state=~"busy|idle|draining"})')
    assert busy_or_not["metric"] == {"cluster": "default"}
    [maximum] = ask(watched, "trio_adaptive_maximum_workers")
    assert maximum["value"][1] == "2"


def test_help_and_type_have_come_along(watched):
    metadata = answer(watched, "/metadata", metric="trio_adaptive_startup_seconds")
    [entry] = metadata["trio_adaptive_startup_seconds"]
    assert entry["type"] == "histogram"
    assert "registration" in entry["help"]


def test_everything_that_the_dashboard_asks_has_an_answer(watched):
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    plain = [e.replace("$cluster", ".*").replace("$__rate_interval", "30s") for e in targets]
    silent = [expression for expression in plain if not ask(watched, expression)]
    assert len(plain) > 20
    assert [each for each in silent if not ABSENT.search(each) and "!= 0" not in each] == []


def test_the_alerts_are_loaded_and_none_rings(watched):
    groups = answer(watched, "/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 14
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
