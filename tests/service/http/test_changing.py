"""What can be changed, by whom, and what comes of mistakes."""

from __future__ import annotations

import math
import sys
import time

import pytest

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.fleet import Reloaded

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

CLUSTER = "/api/v1/clusters/default"
BY = "local from 127.0.0.1"


async def change(here, method, path, status=200, **body):
    answer = await here.client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def commands(here):
    return [record.command for record in here.scaler.history if record.command is not None]


async def test_limits(world):
    async with world(maximum=5) as here:
        assert await here.get(f"{CLUSTER}/limits") == {"minimum": 0, "maximum": 5}
        told = await change(here, "PATCH", f"{CLUSTER}/limits", minimum=2, maximum=7)
        assert (told["minimum"], told["maximum"]) == (2, 7)
        told = await change(here, "PATCH", f"{CLUSTER}/limits", maximum=None)
        assert (told["minimum"], told["maximum"]) == (2, None)
        assert here.scaler.statistics().maximum == math.inf
        assert [command.by for command in commands(here)] == [BY, BY]


async def test_pause_and_resume(world):
    async with world() as here:
        told = await change(here, "POST", f"{CLUSTER}/pause")
        assert told["paused"] == ["growing", "shrinking"]
        told = await change(here, "POST", f"{CLUSTER}/resume", direction="shrinking")
        assert told["paused"] == ["growing"]
        told = await change(here, "POST", f"{CLUSTER}/resume", direction="both")
        assert told["paused"] == []


async def test_hold_for_a_while_and_let_go(world):
    async with world() as here:
        told = await change(here, "PUT", f"{CLUSTER}/hold", n=3, **{"for": "10 min"})
        assert told["hold"]["n"] == 3
        assert 590 < told["hold"]["until"] - time.time() <= 600
        told = await change(here, "PUT", f"{CLUSTER}/hold", n=2)
        assert told["hold"] == {"n": 2, "until": None}
        answer = await here.client.delete(f"{CLUSTER}/hold", headers={"content-type": "application/json"})
        assert answer.json()["hold"] is None


async def test_request(world):
    async with world() as here:
        told = await change(here, "POST", f"{CLUSTER}/requests", n=2, **{"for": None})
        assert told["floor"] == {"n": 2, "until": None}
        await here.until(lambda: here.scaler.statistics().counts.observed == 2)


async def test_policy(world):
    async with world(2) as here:
        assert await here.get(f"{CLUSTER}/policy") == {"name": "demand"}
        told = await change(here, "PUT", f"{CLUSTER}/policy", name="fixed:3")
        assert told["policy"] == "fixed:3"
        await here.until(lambda: here.scaler.statistics().counts.observed == 3)
        assert await here.get(f"{CLUSTER}/policy") == {"name": "fixed:3"}
        assert commands(here)[-1].by == BY
        command = (await here.get(f"{CLUSTER}/records"))["records"]
        assert {"do": "SetPolicy", "by": BY, "name": "fixed:3"} in [each["command"] for each in command]


@pytest.mark.parametrize("name", ["os:system", "this:s", "trio_adaptive.decision.targets.simple:Count"])
async def test_no_code_comes_in_by_the_name_of_a_policy(world, name):
    async with world() as here:
        problem = await change(here, "PUT", f"{CLUSTER}/policy", 409, name=name)
        assert commands(here) == []
    assert "the configuration names no policy" in problem["detail"]
    assert "this" not in sys.modules


async def test_the_policy_of_the_configuration_may_come_back(world):
    own = "trio_adaptive.decision.targets.simple:Count"
    async with world(policy=own) as here:
        await change(here, "PUT", f"{CLUSTER}/policy", name="demand")
        assert (await change(here, "PUT", f"{CLUSTER}/policy", name=own))["policy"] == own


@pytest.mark.parametrize("name", ["fixed:", "fixed:9999999", "fixed:٣", "other", "", "a:b:c"])
async def test_what_is_no_name_of_a_policy_is_refused(world, name):
    async with world() as here:
        problem = await change(here, "PUT", f"{CLUSTER}/policy", 422, name=name)
        assert commands(here) == []
    assert [each["path"] for each in problem["errors"]] == ["name"]


async def test_every_change_is_a_record_with_who_and_from_where(world):
    async with world() as here:
        await change(here, "POST", f"{CLUSTER}/pause", direction="growing")
        records = (await here.get(f"{CLUSTER}/records"))["records"]
        why = await here.get(f"{CLUSTER}/why")
    assert records[0]["command"] == {"do": "SetPause", "by": BY, "direction": "growing", "paused": True}
    assert records[0]["words"] == f"growing paused, by {BY}"
    assert f"growing paused, by {BY}" in why["text"]


async def test_stop_ends_adapting_and_the_service_goes_on(world):
    async with world() as here:
        await change(here, "POST", f"{CLUSTER}/stop", reason="enough")
        await here.scaler.wait_stopped()
        assert here.scaler.statistics().stop_reason == "enough"
        assert here.scaler.stopped_by == BY
        problem = await change(here, "POST", f"{CLUSTER}/pause", 409)
        assert "not running" in problem["detail"]
        assert (await here.get(CLUSTER))["stage"] == "stopped"
    assert here.stops == []


async def test_the_service_can_be_ended(world):
    async with world() as here:
        assert await change(here, "POST", "/api/v1/stop", reason="the day is over") == {
            "stopping": ["default"]
        }
        await here.scaler.wait_stopped()
    assert here.stops == [f"the day is over, by {BY}"]


async def test_reload_tells_what_counts_now(world):
    async def reload():
        return Reloaded(("maximum",), ("interval",))

    async with world() as here:
        assert await change(here, "POST", "/api/v1/reload") == {"applied": [], "needs_restart": []}
        here.fleet.reload = reload
        assert await change(here, "POST", "/api/v1/reload") == {
            "applied": ["maximum"],
            "needs_restart": ["interval"],
        }


async def test_a_configuration_with_mistakes_is_a_problem_that_names_them(world):
    async def reload():
        raise ConfigurationError([Mistake("a.toml: minimum", "is -1", "at least 0")])

    async with world() as here:
        here.fleet.reload = reload
        problem = await change(here, "POST", "/api/v1/reload", 422)
    assert problem["errors"] == [{"path": "a.toml: minimum", "problem": "is -1", "allowed": "at least 0"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "paths"),
    [
        ("PATCH", "limits", {"minimum": -1, "maximum": "many"}, ["minimum", "maximum"]),
        ("PATCH", "limits", {"minimum": None}, ["minimum"]),
        ("PATCH", "limits", {"minimum": 9}, ["minimum"]),
        ("PATCH", "limits", {"maximum": True}, ["maximum"]),
        ("PUT", "hold", {}, ["n"]),
        ("PUT", "hold", {"n": 1.5, "for": 0, "why": ""}, ["n", "for", "why"]),
        ("PUT", "hold", {"n": 10**30}, ["n"]),
        ("PUT", "hold", {"n": 1, "for": "soon"}, ["for"]),
        ("PUT", "hold", {"n": 1, "for": [1]}, ["for"]),
        ("POST", "requests", {"n": None}, ["n"]),
        ("POST", "pause", {"direction": "sideways"}, ["direction"]),
        ("POST", "pause", {"direction": {"a": 1}}, ["direction"]),
        ("POST", "stop", {"reason": "a\nb"}, ["reason"]),
        ("POST", "stop", {"reason": "a" * 201}, ["reason"]),
        ("POST", "stop", {"reason": "a\u202eb"}, ["reason"]),
        ("POST", "stop", {"reason": 7}, ["reason"]),
    ],
)
async def test_all_mistakes_are_named_and_nothing_is_changed(world, method, path, body, paths):
    async with world(maximum=5) as here:
        problem = await change(here, method, f"{CLUSTER}/{path}", 422, **body)
        assert commands(here) == []
    assert sorted(each["path"] for each in problem["errors"]) == sorted(paths)
    assert all(each["allowed"] for each in problem["errors"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"n": 1, "for": "\\ud800"}', 422),
        (b'{"n": 1, "\\ud800": 1}', 422),
        (b"7", 400),
        (b"\xff", 400),
        (b'{"n": NaN}', 400),
        (b'{"n": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 60_000, 400),
        (b'{"n": 1, "n": 2}', 422),
        (b" " * 70_000, 413),
    ],
)
async def test_what_is_no_object_of_json_is_refused(world, body, status):
    async with world() as here:
        answer = await here.client.put(
            f"{CLUSTER}/hold", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert commands(here) == []
