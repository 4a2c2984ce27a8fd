"""``trio-adaptive pause`` and ``trio-adaptive resume``."""

from __future__ import annotations

from typing import Any

from trio_adaptive.cli.remote import add_remote, change


def add(commands: Any) -> None:
    """Add both commands."""
    summaries = {
        "pause": "neither grow nor shrink a cluster, until it is resumed",
        "resume": "let a cluster grow and shrink again",
    }
    for name, summary in summaries.items():
        ask = change("POST", f"/{name}", lambda options: {"direction": options.direction})
        command = add_remote(commands, name, summary, ["", "shrinking --cluster blue"], ask)
        command.add_argument(
            "direction",
            nargs="?",
            choices=("both", "growing", "shrinking"),
            default="both",
            help="only one of them (default: both)",
        )
