"""JSON Schema of what the API answers, from the types that it shows."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from trio_adaptive.decision.model import Counts, Lost, Memory, Outcome, Reason
from trio_adaptive.journal.ledger import LedgerSummary
from trio_adaptive.runtime.history import Statistics
from trio_adaptive.service.fleet import Reloaded

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
MAYBE_NUMBER: Schema = {"type": ["number", "null"]}


def schema_of(hint: Any) -> Schema:
    """The schema of a value of this type as `trio_adaptive.service.http.views.plain` shows it.

    Raises:
        TypeError: no answer has such a value.
    """
    simple: dict[Any, Schema] = {
        int: WHOLE,
        float: MAYBE_NUMBER,  # infinity is null
        str: TEXT,
        bool: FLAG,
        type(None): {"type": "null"},
    }
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in simple:
        return simple[hint]
    if hasattr(hint, "__supertype__"):
        return schema_of(hint.__supertype__)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [schema_of(each) for each in arguments]}
    if origin is tuple:
        return an_array(schema_of(arguments[0]))
    if attrs.has(hint):
        return an_object(attrs_schema(hint))
    raise TypeError(f"{hint} is shown by nothing")


def attrs_schema(cls: type[attrs.AttrsInstance]) -> dict[str, Schema]:
    """The members of an attrs value."""
    hints = get_type_hints(cls)
    return {each.name: schema_of(hints[each.name]) for each in attrs.fields(cls)}


def an_object(members: Mapping[str, Schema]) -> Schema:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": dict(members),
        "required": list(members),
        "additionalProperties": False,
    }


def an_array(item: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": item}


def maybe(schema: Schema) -> Schema:
    """Such a value, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """One of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


WAITING: Schema = an_object({"n": WHOLE, "until": MAYBE_NUMBER})
"""A size that somebody has asked for, and until when; null for until it is changed."""


def _status() -> Schema:
    cost = attrs_schema(LedgerSummary)
    del cost["series"]
    sums = dict.fromkeys(("duration", "paid", "fixed", "saving"), NUMBER)
    load = {
        "target": WHOLE,
        "why": TEXT,
        "processing": maybe(WHOLE),
        "queued": maybe(WHOLE),
        "waiting": maybe(WHOLE),
        "seconds": MAYBE_NUMBER,
        "memory": maybe(schema_of(Memory)),
    }
    who = {"name": TEXT, "time": NUMBER, "scheduler": TEXT, "dashboard": TEXT, "driver": TEXT}
    members = {
        **who,
        **attrs_schema(Statistics),
        "hold": maybe(WAITING),
        "floor": maybe(WAITING),
        "load": maybe(an_object(load)),
        "cost": an_object({**cost, **sums}),
    }
    return an_object(members)


def _record() -> Schema:
    outcome = attrs_schema(Outcome)
    del outcome["at"]
    outcome["lost"] = schema_of(Lost)
    done = {"type": "object", "properties": {"do": TEXT}, "required": ["do"]}
    said = {"type": "object", "properties": {"do": TEXT, "by": TEXT}, "required": ["do", "by"]}
    decision = {
        "raw": WHOLE,
        "final": WHOLE,
        "active": WHOLE,
        "why": TEXT,
        "reasons": an_array(schema_of(Reason)),
        "actions": an_array(done),
        "chosen": an_array(TEXT),
        "blocked": an_array(TEXT),
        "note": TEXT,
    }
    members = {
        "id": TEXT,
        "time": NUMBER,
        "kind": TEXT,
        "words": TEXT,
        "counts": schema_of(Counts),
        "decision": maybe(an_object(decision)),
        "outcome": maybe(an_object(outcome)),
        "command": maybe(said),
        "error": TEXT,
    }
    return an_object(members)


def _worker() -> Schema:
    members = {
        "name": maybe(TEXT),
        "unit": TEXT,
        "state": TEXT,
        "tasks": WHOLE,
        "idle": MAYBE_NUMBER,
        "stored": WHOLE,
        "ours": FLAG,
        "detail": TEXT,
    }
    return an_object(members)


def components() -> dict[str, Schema]:
    """All schemas by the names that operations have for them."""
    story = {"time": NUMBER, "kind": {"enum": ["decision", "silence", "told"]}, "words": an_array(TEXT)}
    mistake = an_object({"path": TEXT, "problem": TEXT, "allowed": TEXT})
    problem = {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT, "errors": an_array(mistake)}
    by_name = {"type": "object", "additionalProperties": TEXT}
    return {
        "Health": an_object({"status": {"const": "ok"}}),
        "Readiness": an_object({"status": {"enum": ["ready", "not ready"]}, "clusters": by_name}),
        "Status": _status(),
        "Clusters": an_object({"clusters": an_array(ref("Status"))}),
        "Workers": an_object({"workers": an_array(_worker())}),
        "Records": an_object({"records": an_array(_record()), "before": maybe(TEXT)}),
        "Why": an_object({"stories": an_array(an_object(story)), "text": TEXT}),
        "Limits": an_object({"minimum": WHOLE, "maximum": MAYBE_NUMBER}),
        "Policy": an_object({"name": TEXT}),
        "Stopping": an_object({"stopping": an_array(TEXT)}),
        "Reloaded": schema_of(Reloaded),
        "Document": {"type": "object"},
        "Problem": an_object(problem),
    }
