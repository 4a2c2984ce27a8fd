"""The status line on a terminal, as a terminal shows it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios

import pyte
import pytest
from rich.text import Text

from trio_adaptive.service.terminal import BottomLine, say

ROWS, COLUMNS = 10, 60


class Terminal:
    """A pseudo-terminal and the screen that it would show."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.resize(ROWS, COLUMNS)
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)

    def resize(self, rows, columns):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        os.set_blocking(self.ours, False)
        try:
            while chunk := os.read(self.ours, 65536):
                self._stream.feed(chunk)
        except (BlockingIOError, OSError):
            pass
        return [line.rstrip() for line in self.screen.display]

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal():
    one = Terminal()
    yield one
    one.close()


@pytest.fixture
def stream(terminal):
    with io.TextIOWrapper(
        os.fdopen(os.dup(terminal.theirs), "wb", buffering=0), write_through=True
    ) as stream:
        yield stream


def test_output_scrolls_above_the_line(terminal, stream):
    line = BottomLine(stream)
    line.draw(Text("status one"))
    for number in range(30):
        stream.write(f"output {number}\r\n")
    line.draw(Text("status two"))
    shown = terminal.read()
    assert shown[-1] == "status two"
    assert shown[:-1] == [f"output {number}" for number in range(22, 30)] + [""]


def test_clearing_gives_the_row_back(terminal, stream):
    line = BottomLine(stream)
    line.draw(Text("status"))
    stream.write("output\r\n")
    line.clear()
    stream.write("more\r\n")
    shown = terminal.read()
    assert "status" not in shown
    assert [text for text in shown if text] == ["output", "more"]
    for number in range(30):
        stream.write(f"late {number}\r\n")
    assert terminal.read()[-2] == "late 29"


def test_a_long_line_is_cut(terminal, stream):
    BottomLine(stream).draw(Text("x" * 200))
    shown = terminal.read()
    assert shown[-1] == "x" * (COLUMNS - 2) + "…"
    assert not any(shown[:-1])


def test_the_line_follows_the_size_of_the_terminal(terminal, stream):
    line = BottomLine(stream)
    line.draw(Text("status"))
    terminal.read()
    terminal.resize(ROWS - 4, COLUMNS)
    terminal.screen.resize(ROWS - 4, COLUMNS)
    line.draw(Text("status"))
    assert terminal.read()[-1] == "status"


@pytest.mark.parametrize("first", ["line", "status"])
def test_a_terminal_that_has_gone_is_no_trouble(first):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        line = BottomLine(stream)
        line.draw(Text("status"))
        os.close(ours)
        if first == "line":
            say("Connect", stream)
        line.draw(Text("status"))
        line.clear()
        say("the last word", stream)


@pytest.mark.integration
def test_run_draws_the_line_and_leaves_the_output_of_the_script_alone(terminal, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time; print('hello', flush=True); time.sleep(1.5); print('bye', flush=True)")
    arguments = ("run", "--no-dashboard", "--maximum", "1", "--", sys.executable, str(script))
    with subprocess.Popen(
        [sys.executable, "-m", "trio_adaptive", *arguments],
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        env={**os.environ, "TERM": "xterm-256color"},
    ) as process:
        seen = []
        while process.poll() is None:
            seen.append(terminal.read())
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    with_line = [shown for shown in seen if "0 ready" in shown[-1] and "hello" in shown]
    assert with_line
    assert process.returncode == 0
    assert not any("ready" in text for text in terminal.read())
