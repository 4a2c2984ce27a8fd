"""``trio-adaptive why``: what a journal tells, in plain words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

from trio_adaptive.config import load_settings
from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.journal.files import parts
from trio_adaptive.journal.reading import Read, read_journal
from trio_adaptive.journal.stories import Story, about, stories
from trio_adaptive.journal.why import stories_in_words

LAST = 20

EXAMPLES = """\
examples:
  trio-adaptive why cluster.jsonl                        # what was done last, and why
  trio-adaptive why cluster.jsonl --at 14:05             # what was decided then
  trio-adaptive why cluster.jsonl --worker adaptive-3fb50b-7
  trio-adaptive why --last 5                             # of the service that runs on this machine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the journal, as it was written with --journal; default: the one of the configuration;"
        " without any a running service is asked",
    )
    parser.add_argument(
        "--last", type=int, metavar="N", help=f"only the last N (default {LAST}; with --at: 1; 0: all)"
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="what was decided then, such as 14:05, 14:05:30 (of the last day) or 2026-03-01T14:05",
    )
    parser.add_argument("--worker", metavar="NAME", help="only what concerns this worker, or unit")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file that names the journal")


def journal_of(options: argparse.Namespace) -> Path | None:
    """The journal that is to be read, named here or in the configuration; None where none is."""
    if options.file is not None:
        return Path(options.file)
    configured = load_settings({}, file=options.config).journal
    return Path(configured) if configured else None


def why(path: Path, options: argparse.Namespace) -> str:
    """The text to print of a journal.

    Raises:
        ConfigurationError: there is no such journal, or the time cannot be read.
    """
    if not parts(path):
        raise ConfigurationError([Mistake("FILE", f"there is no {path}", "a file written with --journal")])
    at = None if options.at is None else _when(options.at, path)
    told = stories(_read(path)) if at is None else stories(_read(path), at=at)
    if options.worker is not None:
        told = [story for each in told if (story := about(each, options.worker)) is not None]
    number = options.last if options.last is not None else LAST if at is None else 1
    shown = told[-number:] if number > 0 else told
    return stories_in_words(shown) if shown else _nothing(path, told, options)


def _nothing(path: Path, told: list[Story], options: argparse.Namespace) -> str:
    of = f" of {options.worker}" if options.worker is not None else ""
    until = f" up to {options.at}" if options.at is not None and not told else ""
    return f"{path} tells nothing{of}{until}"


def _read(path: Path) -> Iterator[Read]:
    try:
        yield from read_journal(path)
    except OSError as error:
        raise ConfigurationError([Mistake("FILE", str(error), "a file written with --journal")]) from error


def _when(text: str, path: Path) -> float:
    """Seconds since 1970, up to the end of what was named: 14:05 is all of that minute."""
    try:
        if "-" in text:
            moment = datetime.fromisoformat(text).astimezone()
        else:
            told = stories(_read(path))
            day = datetime.fromtimestamp(told[-1].time if told else 0).astimezone().date()
            moment = datetime.combine(day, time.fromisoformat(text)).astimezone()
    except ValueError:
        allowed = "a time such as 14:05, 14:05:30 or 2026-03-01T14:05"
        raise ConfigurationError([Mistake("--at", f"is {text!r}", allowed)]) from None
    return moment.timestamp() + (0.0 if moment.microsecond else 0.999 if text.count(":") > 1 else 59.999)
