"""The OpenAPI document is true: its paths are the routes, answers are as it says, and a fuzzer that reads it finds no fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import jsonschema
import pytest
from served import served

from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http import guard
from trio_adaptive.service.http.app import make_app, operations
from trio_adaptive.service.http.openapi import openapi

DOCUMENT = "/api/v1/openapi.json"
CLUSTER = "/api/v1/clusters/default"


def test_its_paths_and_methods_are_those_of_the_routes(anyio_backend):
    app = make_app(Fleet(print))
    routes = {route.path: route.methods - {"HEAD"} for route in app.routes}
    with served() as here:
        document = httpx.get(here.url + DOCUMENT).json()
    told = {path: {method.upper() for method in methods} for path, methods in document["paths"].items()}
    assert told == routes


@pytest.mark.anyio
@pytest.mark.integration
@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/api/v1/clusters",
        CLUSTER,
        f"{CLUSTER}/workers",
        f"{CLUSTER}/records",
        f"{CLUSTER}/records?all=true",
        f"{CLUSTER}/why",
        f"{CLUSTER}/limits",
        f"{CLUSTER}/policy",
        "/api/v1/clusters/other",
    ],
)
async def test_answers_are_as_it_says(world, path):
    async with world(3, maximum=2) as here:
        await here.until(lambda: here.scaler.statistics().counts.observed == 2)
        here.scaler.hold(1, for_="1h")
        here.scaler.request(2)
        await here.until(lambda: here.scaler.statistics().floor)
        document = await here.get(DOCUMENT)
        answer = await here.client.get(path)
    where = path.partition("?")[0].replace("/default", "/{cluster}").replace("/other", "/{cluster}")
    told = document["paths"][where]["get"]["responses"][str(answer.status_code)]["content"]
    schema = told[answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


def test_it_says_what_is_needed_to_come_in():
    needed = openapi(operations(authenticates=True), authenticates=True)
    assert needed["security"] == [{"token": []}, {"certificate": []}]
    assert needed["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in openapi(operations(authenticates=False), authenticates=False)


LIMITS = """
[[operations]]
include-name = "PATCH /api/v1/clusters/{cluster}/limits"
checks.positive_data_acceptance.expected-statuses = [200, 404, 422]
"""
"""That the one is at most the other no schema can say."""

FUZZER = Path(sys.executable).with_name("schemathesis")


@pytest.mark.integration
@pytest.mark.parametrize("cluster", ["default", None], ids=["the cluster that is there", "any name"])
def test_a_fuzzer_finds_no_fault(tmp_path, monkeypatch, cluster, anyio_backend):
    monkeypatch.setattr(guard, "CHANGES", (1e6, 1e6))
    monkeypatch.setattr(guard, "REQUESTS", (1e6, 1e6))
    config = tmp_path / "schemathesis.toml"
    config.write_text(LIMITS if cluster is None else f'[parameters]\n"path.cluster" = "{cluster}"\n{LIMITS}')
    with served(maximum=5, max_launching=10, interval=0.5) as here:
        done = subprocess.run(
            [
                *(FUZZER, "--config-file", config, "run", here.url + DOCUMENT),
                *("--exclude-path-regex", "(events|stop)$", "--max-examples", "20", "--seed", "7"),
                *("--phases", "examples,coverage,fuzzing", "--generation-database", "none"),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=tmp_path,
        )
        assert here.scaler.stage == "running"
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
