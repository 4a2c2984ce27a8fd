"""The operator's day as its page tells it: the files are written, the commands run, in their order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[1] / "docs/how-to/operate.md"
BLOCK = re.compile(r"^```(toml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 120.0
PROGRAM = f"{sys.executable} -m trio_adaptive"


class Day:
    """A folder with a shell; the service runs beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
        self.up: subprocess.Popen | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.done: list[str] = []

    def run(self, command: str) -> None:
        self.done.append(command)
        line = re.sub(r"^trio-adaptive", PROGRAM.replace("\\", r"\\"), command).replace("8788", self.port)
        if command.startswith("trio-adaptive up"):
            self._start(line)
            return
        ran = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}\n{self.log()}"
        if command.startswith("trio-adaptive stop"):
            assert self.up is not None
            assert self.up.wait(PATIENCE) == 0
            self.up = None

    def _start(self, line: str) -> None:
        clusters = (self.folder / "service.toml").read_text().count("[clusters.") or 1
        with (self.folder / "out").open("wb") as out, (self.folder / "log").open("wb") as log:
            self.up = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                cwd=self.folder,
                env=self.env,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while (self.folder / "out").read_text().count("Connect") < clusters or not self._is_ready():
            assert time.monotonic() < deadline, self.log()
            assert self.up.poll() is None, self.log()
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        """Whether each cluster has been looked at; asked without what a user would need to come in."""
        out = (self.folder / "out").read_text()
        url = re.search(r"Service +(\S+)", out)
        where = url[1].replace("0.0.0.0", "localhost") if url else ""  # noqa: S104
        return bool(where) and httpx.get(f"{where}/readyz", verify=False).status_code == 200  # noqa: S501

    def log(self) -> str:
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def end(self) -> None:
        if self.up is not None:
            os.killpg(self.up.pid, signal.SIGKILL)
            self.up.wait()


@pytest.fixture
def day(tmp_path):
    day = Day(tmp_path)
    yield day
    day.end()


def test_every_command_of_the_page_does_what_it_says(day):
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "toml":
            name = re.match(r"# (\S+)\n", text)[1]
            (day.folder / name).write_text(text.replace("8788", day.port))
            continue
        for line in text.splitlines():
            if line.startswith("$ "):
                day.run(line.removeprefix("$ "))
    commands = {line.split()[1] for line in day.done if line.startswith("trio-adaptive")}
    assert commands == {
        *("check", "up", "status", "request", "hold", "pause", "resume", "limits", "policy", "why"),
        *("reload", "stop"),
    }
