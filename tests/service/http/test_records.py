"""Records by pages, and what was done in words."""

from __future__ import annotations

import time

import pytest
import trio

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

RECORDS = "/api/v1/clusters/default/records"
WHY = "/api/v1/clusters/default/why"


async def grown(here, n=2):
    await here.until(lambda: here.scaler.statistics().counts.observed == n)


async def test_a_record_tells_what_was_decided_and_what_became_of_it(world):
    async with world(2, maximum=1) as here:
        await grown(here, 1)
        told = (await here.get(RECORDS))["records"]
    launch = next(each for each in told if each["kind"] == "sample")
    assert "launching 1" in launch["words"]
    decision = launch["decision"]
    assert (decision["raw"], decision["final"], decision["active"]) == (2, 1, 0)
    assert decision["reasons"][0]["limiter"]
    assert (decision["reasons"][0]["before"], decision["reasons"][0]["after"]) == (2, 1)
    assert decision["actions"] == [{"do": "Launch", "units": decision["actions"][0]["units"]}]
    assert abs(launch["time"] - time.time()) < 60
    outcome = next(each for each in told if each["kind"] == "outcome")["outcome"]
    assert (outcome["action"], outcome["result"], outcome["units"]) == (
        "launch",
        "done",
        decision["actions"][0]["units"],
    )


async def test_pages_go_from_the_newest_to_the_oldest_and_miss_none(world):
    async with world() as here:
        for n in range(7):
            here.scaler.request(n)
        await here.until(lambda: sum(record.kind == "command" for record in here.scaler.history) == 7)
        here.scaler.pause()
        await here.until(lambda: here.scaler.statistics().paused)
        seen, before = [], None
        while True:
            query = {"limit": 3} if before is None else {"limit": 3, "before": before}
            page = await here.get(RECORDS, params=query)
            seen += [each["command"]["n"] for each in page["records"] if "n" in (each["command"] or {})]
            before = page["before"]
            if before is None:
                break
            assert len(page["records"]) == 3
    assert seen == [6, 5, 4, 3, 2, 1, 0]


async def test_looks_on_which_nothing_was_done_are_told_on_demand(world):
    async with world() as here:
        await here.until(lambda: here.scaler.statistics().samples >= 3)
        assert (await here.get(RECORDS))["records"] == []
        looks = (await here.get(RECORDS, params={"all": "true", "limit": 2}))["records"]
    assert [each["kind"] for each in looks] == ["sample", "sample"]
    assert [each["words"] for each in looks] == ["", ""]


@pytest.mark.parametrize(
    ("query", "path", "allowed"),
    [
        ({"limit": "0"}, "limit", "1 to 1000"),
        ({"limit": "1001"}, "limit", "1 to 1000"),
        ({"limit": "٣"}, "limit", "1 to 1000"),
        ({"limit": "9" * 5000}, "limit", "1 to 1000"),
        ({"before": "17"}, "before", "the id of a record"),
        ({"all": "yes"}, "all", "true or false"),
        ({"page": "2"}, "page", "one of: limit, before, all"),
    ],
)
async def test_a_mistake_in_a_query_is_named(world, query, path, allowed):
    async with world() as here:
        problem = await here.get(RECORDS, 422, params=query)
    assert [each["path"] for each in problem["errors"]] == [path]
    assert allowed in problem["errors"][0]["allowed"]


async def test_why_tells_the_stories_since_the_beginning(world):
    async with world(2) as here:
        await grown(here)
        here.scaler.hold(1, by="ann from 10.0.0.7")
        await here.until(lambda: here.scaler.statistics().hold)
        told = await here.get(WHY)
        unit = here.cluster.ids()[0]
        of_one = await here.get(WHY, params={"worker": unit})
        latest = await here.get(WHY, params={"last": 1})
    assert [each["kind"] for each in told["stories"]][:2] == ["decision", "told"]
    assert told["stories"][0]["words"][0].startswith("wanted 2 because the test wants it; there were 0")
    assert "registered after" in told["stories"][0]["words"][1]
    assert "held at 1, by ann from 10.0.0.7" in told["text"]
    assert [unit in each["words"][1] for each in of_one["stories"]] == [True] * len(of_one["stories"])
    assert len(latest["stories"]) == 1


async def test_why_tells_what_was_decided_at_a_time(world):
    async with world(2) as here:
        await grown(here)
        await trio.sleep(0.01)
        told = await here.get(WHY, params={"at": time.time()})
        assert await here.get(WHY, params={"at": time.time() - 3600}) == {"stories": [], "text": ""}
        nonsense = await here.get(WHY, 422, params={"at": "yesterday"})
    assert told["stories"][0]["words"] == ["wanted 2 because the test wants it; there were 2"]
    assert nonsense["errors"][0]["path"] == "at"


async def test_workers_are_told_with_their_states(world):
    async with world(1) as here:
        await grown(here, 1)
        here.cluster.accept = 3600
        here.cluster.want(2)
        await here.until(lambda: here.scaler.statistics().counts.plan == 2)
        here.cluster.add("stranger", ours=False)
        await here.until(lambda: len(here.scaler.sample.units) == 3)
        told = (await here.get("/api/v1/clusters/default/workers"))["workers"]
    assert [(each["state"], each["ours"]) for each in told] == [
        ("registered", True),
        ("requested", True),
        ("registered", False),
    ]
    assert told[0]["name"] == told[0]["unit"]
