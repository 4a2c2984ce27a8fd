"""The alerts and the Grafana dashboard that are handed out ask for metrics and labels that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from metrics_kit import an_exposition
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).parents[3] / "docs/deploy"
HOW_TO = Path(__file__).parents[3] / "docs/how-to/metrics.md"
NAME = re.compile(r"\btrio_adaptive_\w+")
SELECTOR = re.compile(r"\b(trio_adaptive_\w+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def expressions():
    """Everything that the dashboard asks Prometheus."""
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


async def labels_by_name():
    families = text_string_to_metric_families((await an_exposition()).decode())
    found: dict[str, set[str]] = {}
    for family in families:
        names = [sample.name for sample in family.samples] or [family.name, f"{family.name}_total"]
        for name in names:
            found.setdefault(name, set())
        for sample in family.samples:
            found[sample.name] |= sample.labels.keys()
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml", "alerts-test.yml"])
async def test_every_metric_that_is_asked_for_exists(file):
    known = await labels_by_name()
    asked = set(NAME.findall((DEPLOY / file).read_text("utf-8")))
    assert len(asked) > 10
    assert asked - known.keys() == set()


@pytest.mark.anyio
async def test_every_label_that_is_asked_for_exists():
    known = await labels_by_name()
    asked = [
        pair
        for text in (*expressions(), (DEPLOY / "alerts.yml").read_text("utf-8"))
        for pair in SELECTOR.findall(text)
    ]
    assert len(asked) > 20
    wrong = {
        (n, each)
        for n, selector in asked
        for each in LABEL.findall(selector)
        if each not in known[n] | {"cluster"}
    }
    assert wrong == set()


def test_every_panel_says_what_it_shows_and_none_lies_upon_another():
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert panel["title"]
        assert panel["description"]
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.anyio
async def test_every_metric_and_every_alert_is_in_the_how_to():
    page = HOW_TO.read_text("utf-8")
    families = text_string_to_metric_families((await an_exposition()).decode())
    names = [
        f.name + "_total" * (f.type == "counter") for f in families if f.name.startswith("trio_adaptive_")
    ]
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text("utf-8"))
    assert len(names) > 40
    assert len(alerts) > 10
    assert [each for each in (*names, *alerts) if f"`{each}`" not in page] == []
