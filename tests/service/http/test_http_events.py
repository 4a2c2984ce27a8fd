"""Server-sent events: the status, every record, going on after a break, and readers that do not read."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from raw_http import Events, connected

from trio_adaptive.service.http import events, streams

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

EVENTS = "/api/v1/clusters/default/events"


@asynccontextmanager
async def following(here, **headers):
    peer = await connected(here.url)
    async with peer.stream:
        head = await peer.ask("GET", EVENTS, here.url.partition("://")[2], **headers)
        assert head.status_code == 200
        fields = dict(head.headers)
        assert fields[b"content-type"].startswith(b"text/event-stream")
        assert fields[b"cache-control"] == b"no-store"
        yield Events(peer)


def a_record(event):
    return event.get("event") == "record"


def a_status(event):
    return event.get("event") == "status"


async def test_the_status_comes_at_once_and_records_as_they_are_made(world):
    async with world() as here, following(here) as stream:
        assert (await stream.until(a_status))["data"]["name"] == "default"
        here.scaler.pause(by="ann")
        record = await stream.until(a_record)
        assert record["data"]["words"] == "growing and shrinking paused, by ann"
        assert record["id"] == record["data"]["id"]
        status = await stream.until(a_status)
        assert status["data"]["paused"] == ["growing", "shrinking"]


async def test_whoever_comes_back_gets_what_was_missed(world):
    async with world() as here:
        here.scaler.request(1)
        here.scaler.request(2)
        here.scaler.request(3)
        await here.until(lambda: sum(record.kind == "command" for record in here.scaler.history) == 3)
        records = (await here.get("/api/v1/clusters/default/records?limit=1000"))["records"]
        first = next(each for each in records if each["command"] and each["command"]["n"] == 1)
        async with following(here, last_event_id=first["id"]) as stream:
            asked = [
                (await stream.until(lambda e: a_record(e) and e["data"]["command"]))["data"] for _ in "23"
            ]
        assert [each["command"]["n"] for each in asked] == [2, 3]


@pytest.mark.parametrize("last", ["other-17", "nonsense", "-"])
async def test_whoever_has_read_another_run_gets_all_of_this_one(world, last):
    async with world() as here:
        here.scaler.request(1)
        await here.until(lambda: here.scaler.statistics().floor)
        async with following(here, last_event_id=last) as stream:
            assert (await stream.until(a_record))["data"]["command"]["n"] == 1


async def test_silence_is_told_from_a_dead_line(world, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    async with world() as here:
        here.scaler.stop("enough")
        await here.scaler.wait_stopped()
        async with following(here) as stream:
            assert (await stream.until(a_status))["data"]["stage"] == "stopped"
            assert await stream.until(lambda event: "comment" in event) == {"comment": "nothing new"}


async def test_there_are_so_many_readers_and_no_more(world, monkeypatch):
    monkeypatch.setattr(streams, "STREAMS", 1)
    async with world() as here:
        async with following(here) as stream:
            await stream.until(a_status)
            answer = await here.client.get(EVENTS)
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "10"
        while (answer := await probe(here)) == 429:  # until it is noticed that the first one has gone
            await trio.sleep(0.01)
        assert answer == 200


async def probe(here):
    peer = await connected(here.url)
    async with peer.stream:
        return (await peer.ask("GET", EVENTS, here.url.partition("://")[2])).status_code


async def test_a_reader_that_does_not_read_delays_neither_decisions_nor_others(world):
    async with world(interval=0.02) as here:
        silent = [await connected(here.url) for _ in range(5)]
        for peer in silent:
            head = await peer.ask("GET", f"{EVENTS}?all=true", here.url.partition("://")[2])
            assert head.status_code == 200
        async with following(here) as stream:
            await stream.until(a_status)
            for n in range(200):
                here.scaler.request(n % 3, for_="1s")
                await here.scaler.next_record()
            here.scaler.hold(1, by="ann")
            await stream.until(lambda event: a_record(event) and "held at 1" in event["data"]["words"])
        for peer in silent:
            await trio.aclose_forcefully(peer.stream)
