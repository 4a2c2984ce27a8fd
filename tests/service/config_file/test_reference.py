"""The page of the configuration file is complete."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from trio_adaptive.config import Settings
from trio_adaptive.runtime.changes import LIVE
from trio_adaptive.service.config_file.tables import ServiceTable, WorkersTable

PAGE = (Path(__file__).parents[3] / "docs/reference/service-file.md").read_text()
KEYS = {
    key
    for cell in re.findall(r"^\| ([^|]*`[^|]*) \|", PAGE, re.MULTILINE)
    for key in re.findall(r"`(\w+)`", cell)
}


@pytest.mark.parametrize("table", [ServiceTable, WorkersTable])
def test_every_key_is_on_the_page(table):
    assert not {field.name for field in attrs.fields(table)} - KEYS


def test_what_counts_only_after_a_restart_is_named():
    named = set(re.findall(r"`(\w+)`", PAGE.split("all settings but")[1].split("Everything else")[0]))
    in_words = {f"{least}_{what}" for least in ("minimum", "maximum") for what in ("cores", "memory")}
    assert {field.name for field in attrs.fields(Settings)} - LIVE == named | in_words
