"""What can be changed. Each change is a command of the scaler's, with who has given it; the answer is the new status."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import trio

from trio_adaptive.decision.targets.named import NAMES
from trio_adaptive.service.fleet import Hosted
from trio_adaptive.service.http.fields import DIRECTION, FOR, MAXIMUM, MINIMUM, REASON, Field, N
from trio_adaptive.service.http.operations import API, CLUSTER, Call, Method, Operation
from trio_adaptive.service.http.problems import Problem
from trio_adaptive.service.http.views import plain, status

OBEYED: Final = 2.0
"""How long the answer waits for the command to show, in seconds; the scaling loop never takes that long."""


async def _obeyed(call: Call, command: Callable[[Hosted], None]) -> dict[str, Any]:
    """Give a command; the status once it has been obeyed."""
    hosted = call.hosted
    before = hosted.scaler.published
    command(hosted)
    with trio.move_on_after(OBEYED):
        while hosted.scaler.stage == "running" and not _shows(hosted, before, call.by):
            await hosted.scaler.next_record()
    return status(hosted, call.wall)


def _shows(hosted: Hosted, before: int, by: str) -> bool:
    commands = (record.command for _, record in hosted.scaler.numbered(before))
    return any(getattr(command, "by", "") == by for command in commands)


async def _set_limits(call: Call) -> Any:
    given, by = call.given, call.by
    return await _obeyed(call, lambda h: h.scaler.set_limits(given["minimum"], given["maximum"], by=by))


async def _pause(call: Call) -> Any:
    return await _obeyed(call, lambda h: h.scaler.pause(call.given["direction"], by=call.by))


async def _resume(call: Call) -> Any:
    return await _obeyed(call, lambda h: h.scaler.resume(call.given["direction"], by=call.by))


async def _hold(call: Call) -> Any:
    given = call.given
    return await _obeyed(call, lambda h: h.scaler.hold(given["n"], for_=given["for"], by=call.by))


async def _let_go(call: Call) -> Any:
    return await _obeyed(call, lambda h: h.scaler.hold(None, by=call.by))


async def _request(call: Call) -> Any:
    given = call.given
    return await _obeyed(call, lambda h: h.scaler.request(given["n"], for_=given["for"], by=call.by))


async def _use_policy(call: Call) -> Any:
    hosted, name = call.hosted, call.given["name"]
    # A name with a colon is imported: nobody but the configuration may bring one in.
    if ":" in name and not name.startswith("fixed:") and name != hosted.scaler.settings.policy:
        raise Problem(HTTPStatus.CONFLICT, f"the configuration names no policy {name!r}")
    return await _obeyed(call, lambda h: h.scaler.use_policy(name, by=call.by))


def _stop(hosted: Hosted, reason: str, by: str) -> None:
    hosted.scaler.stop(reason or "stopped over HTTP", by=by)


async def _stop_adapting(call: Call) -> Any:
    return await _obeyed(call, lambda h: _stop(h, call.given["reason"], call.by))


async def _stop_service(call: Call) -> Any:
    reason = call.given["reason"] or "stopped over HTTP"
    for hosted in call.fleet.values():
        _stop(hosted, reason, call.by)
    call.fleet.stop(f"{reason}, by {call.by}")
    return {"stopping": list(call.fleet)}


async def _reload(call: Call) -> Any:
    return plain(await call.fleet.reload())


NAME: Final = re.compile(
    rf"{'|'.join(NAMES)}|fixed:[0-9]{{1,6}}|[a-z][a-z0-9_.]{{0,99}}:[A-Za-z][A-Za-z0-9_]{{0,99}}"
)


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(value)
    return value


POLICY: Final = Field(
    "name",
    f"{', '.join(NAMES)}, fixed:N, or the one that the configuration names",
    _name,
    {"type": "string", "pattern": f"^(?:{NAME.pattern})$", "examples": ["adaptive", "fixed:8"]},
    required=True,
    summary="which one",
)

CONFLICT = {HTTPStatus.CONFLICT: "Problem"}


def _change(
    method: Method, path: str, answer: Any, summary: str, body: Sequence[Any] | None = ()
) -> Operation:
    fields = None if body is None else tuple(body)
    return Operation(method, f"{CLUSTER}{path}", answer, summary, "Status", body=fields, also=CONFLICT)


CHANGING = (
    _change(
        "PATCH", "/limits", _set_limits, "Change the bounds; one that is not given stays.", (MINIMUM, MAXIMUM)
    ),
    _change("POST", "/pause", _pause, "Neither grow nor shrink, or only one of them.", (DIRECTION,)),
    _change("POST", "/resume", _resume, "Grow and shrink again, or only one of them.", (DIRECTION,)),
    _change("PUT", "/hold", _hold, "Hold a size, whatever the load.", (N, FOR)),
    _change("DELETE", "/hold", _let_go, "Let go of it.", None),
    _change("POST", "/requests", _request, "At least so many workers for a while.", (N, FOR)),
    _change("PUT", "/policy", _use_policy, "Have the size found in another way.", (POLICY,)),
    _change("POST", "/stop", _stop_adapting, "End adapting; the service goes on.", (REASON,)),
    Operation("POST", f"{API}/stop", _stop_service, "End the service.", "Stopping", body=(REASON,)),
    Operation("POST", f"{API}/reload", _reload, "Read the configuration again.", "Reloaded", body=()),
)
