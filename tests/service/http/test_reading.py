"""What can be seen of the service, by whoever may."""

from __future__ import annotations

import math
import time

import httpx
import pytest
import trio
from http_world import serving

from trio_adaptive.errors import ClusterError
from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.views import WallClock

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


async def test_it_is_alive_before_any_cluster_is(world):
    async with serving(Fleet(print)) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"status": "not ready", "clusters": {"default": "is not up yet"}}


async def test_it_is_ready_when_the_cluster_has_answered(world):
    async with world() as here:
        await here.until(lambda: here.scaler.statistics().samples)
        assert await here.get("/readyz") == {"status": "ready", "clusters": {}}


async def test_it_is_not_ready_while_the_scheduler_does_not_answer(world):
    async with world() as here:
        await here.until(lambda: here.scaler.statistics().samples)
        here.cluster.fail("target", ClusterError("no line to it"), times=1000)
        await here.until(lambda: here.scaler.statistics().unanswered)
        told = await here.get("/readyz", 503)
    assert told["clusters"] == {"default": "no line to it"}


async def test_it_is_not_ready_when_adapting_has_ended(world):
    async with world() as here:
        here.scaler.stop("enough")
        await here.scaler.wait_stopped()
        told = await here.get("/readyz", 503)
    assert told["clusters"] == {"default": "is not adapting: enough"}


async def test_the_status_is_the_statistics_and_more(world):
    async with world(2, maximum=3) as here:
        await here.until(lambda: here.scaler.statistics().counts.observed == 2)
        here.scaler.hold(2, for_="1 hour")
        await here.until(lambda: here.scaler.statistics().hold)
        told = await here.get("/api/v1/clusters/default")
        everyone = await here.get("/api/v1/clusters")
    assert told["name"] == "default"
    assert told["scheduler"] == "tcp://scheduler:8786"
    assert told["dashboard"] == "http://dask/status"
    assert (told["stage"], told["minimum"], told["maximum"], told["policy"]) == ("running", 0, 3, "demand")
    assert told["counts"]["observed"] == told["wanted"] == told["target"] == 2
    assert abs(told["time"] - time.time()) < 60
    assert told["hold"]["n"] == 2
    assert 3500 < told["hold"]["until"] - time.time() <= 3601
    assert told["cost"]["starts"] == 2
    assert told["load"]["target"] == 2
    assert [each["name"] for each in everyone["clusters"]] == ["default"]


async def test_infinity_is_null_since_json_has_none(world):
    async with world() as here:
        told = await here.get("/api/v1/clusters/default")
    assert told["maximum"] is None


async def test_a_cluster_that_is_not_there_is_a_problem(world):
    async with world() as here:
        answer = await here.client.get("/api/v1/clusters/other")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"
    assert "there are: default" in answer.json()["detail"]


async def test_one_moment_has_one_time():
    wall, at = WallClock(), trio.current_time()
    first = wall(at)
    await trio.sleep(0.01)
    assert wall(at) == first
    assert abs(first - time.time()) < 5
    assert wall(math.inf) is None
