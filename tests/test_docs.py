"""The documentation is true: its samples run, its links lead somewhere, its tables are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from trio_adaptive.cli import main
from trio_adaptive.config import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
SAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SAMPLES = [
    (page, number, code) for page in PAGES for number, code in enumerate(SAMPLE.findall(page.read_text()))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not dead


@pytest.mark.integration
@pytest.mark.parametrize(
    ("page", "number", "code"), SAMPLES, ids=[f"{name_of(page)}-{number}" for page, number, _ in SAMPLES]
)
def test_sample_runs(page, number, code, tmp_path):
    script = tmp_path / "sample.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_samples():
    assert len(SAMPLES) >= 4


def test_every_setting_is_in_the_reference():
    text = (ROOT / "docs/reference/settings.md").read_text()
    missing = [option.name for option in attrs.fields(Settings) if f"| `{option.name}` |" not in text]
    assert not missing


COMMANDS = ("run", "up", "why", "simulate", "replay")
OF_A_SERVICE = ("status", "pause", "resume", "hold", "request", "limits", "policy", "stop", "reload")


@pytest.mark.parametrize("command", [*COMMANDS, *OF_A_SERVICE])
def test_every_argument_is_in_the_reference(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    arguments = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    text = (ROOT / "docs/reference/cli.md").read_text()
    assert len(arguments) > (1 if command == "replay" else 7)
    assert not [argument for argument in arguments if argument not in text]
