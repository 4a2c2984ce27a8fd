"""The two files about the keys ``trio-adaptive.*`` of Dask's configuration, as they follow from `Settings`.

``python tests/settings_schema.py`` writes them anew.
"""

from __future__ import annotations

import inspect
import math
import re
import textwrap
from copy import deepcopy
from pathlib import Path

import attrs
import yaml

from trio_adaptive.config import OPTIONS, VALUES, Settings
from trio_adaptive.forms import RATE_FORM, SCHEDULE_FORM
from trio_adaptive.schedules import Schedule

PACKAGE = Path(__file__).parents[1] / "trio_adaptive"
DEFAULTS = PACKAGE / "trio-adaptive.yaml"
SCHEMA = PACKAGE / "trio-adaptive-schema.yaml"

HEADER = """\
# The options of trio-adaptive, with their defaults. Copied into a folder of Dask's configuration
# (~/.config/dask), with the sign before a name taken away, they hold for every program there.
trio-adaptive:
"""

ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def descriptions() -> dict[str, str]:
    """What the docstring of `Settings` says of each option, on one line."""
    found = ENTRY.findall(inspect.getdoc(Settings) or "")
    return {name: " ".join(text.split()).replace("``", "`") for name, text in found}


def default(name: str) -> object:
    """The default as one would write it into a file."""
    value = getattr(Settings(), name)
    if name in {"idle_timeout", "pending_timeout", "startup_timeout"}:
        return "auto"
    return list(value) if isinstance(value, tuple) else value


def of_numbers(words: str) -> dict[str, object]:
    bound = {
        "above 0": {"exclusiveMinimum": 0},
        "at least 0": {"minimum": 0},
        "at least 1": {"minimum": 1},
        "below 1": {"exclusiveMaximum": 1},
    }
    return {name: value for said, bounds in bound.items() if said in words for name, value in bounds.items()}


def of_schedules() -> dict[str, object]:
    """A list of tables; what a text in one says is beyond a schema."""
    size = {"type": ["integer", "null"], "minimum": 0}
    text = {"type": "string"}
    forms = {"start": text, "end": text, "timezone": text, "minimum": size, "maximum": size}
    fields = {name: deepcopy(form) for name, form in forms.items()}
    assert list(fields) == [each.name for each in attrs.fields(Schedule)]
    table = {
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
        "required": ["start", "end"],
    }
    return {"type": "array", "items": table}


WHOLE: dict[str, list[dict[str, object]]] = {
    "a function of a worker's state, or None": [],
    "text": [{"type": "string"}],
    OPTIONS["name"]: [{"type": "string"}],
    OPTIONS["journal"]: [{"type": "string"}],
    "true or false": [{"type": "boolean"}],
    RATE_FORM: [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    SCHEDULE_FORM: [of_schedules()],
    OPTIONS["policy"]: [{"type": "string"}],
    OPTIONS["shadow"]: [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    OPTIONS["value_of_time"]: [{"type": "number", "exclusiveMinimum": 0}, {"enum": list(VALUES)}],
}
"""The forms of what is told by these words and no others."""


def types(words: str) -> list[dict[str, object]]:
    """The forms that a value may have, from what is allowed in words; never less than is allowed."""
    if words.startswith("'"):
        return [{"enum": re.findall(r"'([\w-]+)'", words)}]
    if words in WHOLE:
        return deepcopy(WHOLE[words])  # YAML would show that it is the same list
    if words.startswith("a number"):
        return [{"type": "number", **of_numbers(words)}, {"enum": ["inf"]}][: 1 + (" or inf" in words)]
    if "duration" in words:
        return [{"type": "number", **of_numbers(words)}, {"type": "string"}]
    whole = {"type": "integer", **of_numbers(words)}
    if words.startswith("bytes"):
        return [whole, {"type": "string"}]
    return [whole, {"enum": [math.inf, "inf"]}] if " or inf" in words else [whole]


def entry(name: str) -> dict[str, object]:
    words = OPTIONS[name]
    forms = [*types(words), {"type": "null"}]
    said = descriptions()[name]
    text = f"{said[0].upper()}{said[1:]} Allowed: {words}. Default: {default(name)}."
    return {"description": text, **({"anyOf": forms} if len(forms) > 1 else forms[0])}


def schema_text() -> str:
    """The schema, in YAML."""
    options = {name.replace("_", "-"): entry(name) for name in OPTIONS}
    table = {"type": ["object", "null"], "additionalProperties": False, "properties": options}
    schema = {"type": "object", "properties": {"trio-adaptive": table}}
    return yaml.safe_dump(schema, sort_keys=False, width=110)


def defaults_text() -> str:
    """All options with their defaults, as comments."""
    lines = []
    for option in attrs.fields(Settings):
        if option.name == "worker_key":  # a function, which no file can name
            continue
        lines += [
            "",
            *textwrap.wrap(descriptions()[option.name], 100, initial_indent="# ", subsequent_indent="# "),
        ]
        value = yaml.safe_dump({option.name.replace("_", "-"): default(option.name)})
        lines.append(f"# {value.strip()}")
    return HEADER + textwrap.indent("\n".join(lines[1:]), "  ") + "\n"


if __name__ == "__main__":
    DEFAULTS.write_text(defaults_text())
    SCHEMA.write_text(schema_text())
