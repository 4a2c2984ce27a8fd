"""What can be asked without changing anything."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from trio_adaptive.journal.stories import Decided, Silence, Story, about
from trio_adaptive.journal.why import stories_in_words, story_in_words
from trio_adaptive.service.chronicle import KEPT, decided_at
from trio_adaptive.service.fleet import Hosted
from trio_adaptive.service.http.events import EventStream
from trio_adaptive.service.http.fields import LINE_SCHEMA, TEXT, Field, flag, from_query, moment, text
from trio_adaptive.service.http.identity import who_asks
from trio_adaptive.service.http.operations import API, CLUSTER, Call, Operation
from trio_adaptive.service.http.records import ID, NUMBERED, page
from trio_adaptive.service.http.views import WallClock, limits, policies, status, unready, workers

MOST_RECORDS = 1000
LAST = 20

LIMIT = Field(
    "limit",
    f"a whole number, 1 to {MOST_RECORDS}",
    from_query(1, MOST_RECORDS),
    {"type": "integer", "minimum": 1, "maximum": MOST_RECORDS, "default": 100},
    default=100,
    summary="at most so many",
)
BEFORE = Field(
    "before",
    NUMBERED,
    lambda value: value if ID.fullmatch(value) else _refuse(value),
    {"type": "string", "pattern": f"^{ID.pattern}$"},
    summary="only older ones than this",
)
ALL = Field(
    "all",
    "true or false",
    flag,
    {"type": "boolean", "default": False},
    default=False,
    summary="also looks on which nothing was done",
)
LAST_STORIES = Field(
    "last",
    f"a whole number, 1 to {KEPT}",
    from_query(1, KEPT),
    {"type": "integer", "minimum": 1, "maximum": KEPT, "default": LAST},
    default=LAST,
    summary="at most so many of the latest",
)
AT = Field(
    "at",
    "seconds since the epoch, or a time such as 2026-03-01T14:05",
    lambda value: moment(text(value)),
    {"anyOf": [{"type": "number"}, {"type": "string", "format": "date-time"}]},
    summary="what was decided then",
)
WORKER = Field(
    "worker",
    f"a line of text, {TEXT} characters at most",
    text,
    LINE_SCHEMA,
    summary="only what concerns this worker, or unit",
)


def _refuse(value: str) -> str:
    raise ValueError(value)


async def _healthz(_: Call) -> Any:
    return {"status": "ok"}


async def _readyz(call: Call) -> Any:
    wrong = unready(call.fleet)
    if not wrong:
        return {"status": "ready", "clusters": {}}
    return JSONResponse({"status": "not ready", "clusters": wrong}, HTTPStatus.SERVICE_UNAVAILABLE)


async def _clusters(call: Call) -> Any:
    return {"clusters": [status(hosted, call.wall) for hosted in call.fleet.values()]}


async def _cluster(call: Call) -> Any:
    return status(call.hosted, call.wall)


async def _workers(call: Call) -> Any:
    return {"workers": workers(call.hosted)}


async def _records(call: Call) -> Any:
    given = call.given
    return page(call.hosted, call.wall, given["limit"], given["before"], everything=given["all"])


async def _events(call: Call) -> Any:
    after = call.request.headers.get("last-event-id")
    stream = EventStream(
        call.hosted, call.wall, who_asks(call.request), after=after, everything=call.given["all"]
    )
    return call.service.streams.bounded(stream)


async def _limits(call: Call) -> Any:
    return limits(call.hosted)


async def _policy(call: Call) -> Any:
    return policies(call.hosted)


async def _why(call: Call) -> Any:
    given = call.given
    if given["at"] is not None:
        told = _decided_then(call.hosted, call.wall, given["at"], given["worker"])
    else:
        told = call.hosted.chronicle.stories(given["last"], given["worker"])
    return {"stories": [_story(story) for story in told], "text": stories_in_words(told)}


def _decided_then(hosted: Hosted, wall: WallClock, at: float, worker: str | None) -> list[Story]:
    records = [(wall(record.at) or 0.0, record) for _, record in hosted.scaler.numbered()]
    story = decided_at(records, at)
    if story is None:
        return []
    found = story if worker is None else about(story, worker)
    return [] if found is None else [found]


def _story(story: Story) -> dict[str, Any]:
    kind = "decision" if isinstance(story, Decided) else "silence" if isinstance(story, Silence) else "told"
    return {"time": story.time, "kind": kind, "words": story_in_words(story)}


READING = (
    Operation("GET", "/healthz", _healthz, "Whether the program serves.", "Health"),
    Operation(
        "GET",
        "/readyz",
        _readyz,
        "Whether every cluster is adapting and has answered the latest look.",
        "Readiness",
        also={HTTPStatus.SERVICE_UNAVAILABLE: "Readiness"},
    ),
    Operation("GET", f"{API}/clusters", _clusters, "All clusters.", "Clusters"),
    Operation("GET", CLUSTER, _cluster, "How a cluster is doing.", "Status"),
    Operation("GET", f"{CLUSTER}/workers", _workers, "Its workers, and those that are coming.", "Workers"),
    Operation(
        "GET",
        f"{CLUSTER}/records",
        _records,
        "What was decided, said and done, newest first.",
        "Records",
        (LIMIT, BEFORE, ALL),
    ),
    Operation("GET", f"{CLUSTER}/events", _events, "The status and new records, as they come.", "", (ALL,)),
    Operation(
        "GET", f"{CLUSTER}/why", _why, "What was done and why, in words.", "Why", (LAST_STORIES, AT, WORKER)
    ),
    Operation("GET", f"{CLUSTER}/limits", _limits, "The bounds on its size.", "Limits"),
    Operation("GET", f"{CLUSTER}/policy", _policy, "How its size is found.", "Policy"),
)
