"""The examples of the page on limits are taken as they stand, and the one that prints prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import dask
import pytest
import yaml

from trio_adaptive.config import Settings, load_settings

PAGE = (Path(__file__).parents[1] / "docs/how-to/limits.md").read_text()


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_a_file_of_the_page_is_taken(number, tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(blocks("toml")[number])
    assert load_settings({}, file=file) != Settings()


def test_the_schedules_are_the_same_in_either_language(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(blocks("toml")[0])
    (text,) = blocks("yaml")
    with dask.config.set(yaml.safe_load(text)):
        assert load_settings({}).schedules == load_settings({}, file=file).schedules != ()


def test_there_are_files():
    assert len(blocks("toml")) >= 6


@pytest.mark.integration
def test_the_sample_prints_what_the_page_shows():
    (sample,), (shown,) = blocks("python"), blocks("text")
    done = subprocess.run(
        [sys.executable, "-c", sample], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(shown)
