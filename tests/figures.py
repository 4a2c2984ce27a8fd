"""Tables that are measured, and where they stand in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "reliability.md"


def write_figures(name: str, text: str) -> None:
    """Put a text between the page's marks of this name."""
    marks = re.compile(rf"(<!-- figures: begin {name} -->\n).*(<!-- figures: end {name} -->)", re.DOTALL)
    page, found = marks.subn(lambda mark: f"{mark[1]}{text}\n{mark[2]}", PAGE.read_text())
    assert found == 1, f"{PAGE} has no place for {name}"
    PAGE.write_text(page)
