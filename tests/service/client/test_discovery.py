"""Finding the service of this machine, and not being led astray."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from trio_adaptive.errors import ClusterError, ServiceUnreachable
from trio_adaptive.service.client.connection import Connection, Where
from trio_adaptive.service.client.discovery import announced, folder, services

URL = "http://127.0.0.1:8788"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "trio-adaptive"


def put(place, pid, url=URL, name=""):
    place.mkdir(mode=0o700, exist_ok=True)
    (place / f"{pid}.json").write_text(json.dumps({"url": url, "pid": pid, "name": name}))


def test_it_is_found_while_it_runs(place):
    with announced(URL, "ours"):
        (here,) = services()
        assert (here.url, here.pid, here.name) == (URL, os.getpid(), "ours")
        assert place.stat().st_mode & 0o777 == 0o700
        with Connection(Where()) as connection:
            assert connection.url == URL
    assert services() == []
    assert list(place.iterdir()) == []


def test_what_a_killed_one_has_left_is_removed(place):
    ended = subprocess.Popen(["true"])
    ended.wait()
    put(place, ended.pid)
    assert services() == []
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}', '{"pid": 1, "other": 2}'])
def test_what_is_no_announcement_is_passed_over(place, text):
    place.mkdir(mode=0o700)
    (place / "1.json").write_text(text)
    assert services() == []


def test_a_folder_that_others_can_write_to_is_not_trusted(place):
    put(place, os.getpid(), "http://evil.example")
    place.chmod(0o777)
    assert services() == []
    with pytest.raises(ClusterError, match="not this user's alone"), announced(URL, ""):
        pass


def test_a_link_to_a_folder_is_not_trusted(place, tmp_path):
    real = tmp_path / "real"
    put(real, os.getpid())
    place.symlink_to(real)
    assert services() == []


def test_of_several_one_has_to_be_named(place):
    other = subprocess.Popen(["sleep", "60"])
    try:
        put(place, other.pid, "http://127.0.0.1:1", "other")
        with announced(URL, "ours"):
            with pytest.raises(ServiceUnreachable, match=r"2 services run .* ours \d+ at"):
                Connection(Where())
            for name in ("ours", str(os.getpid())):
                with Connection(Where(service=name)) as connection:
                    assert connection.url == URL
            with pytest.raises(ServiceUnreachable, match="called nix"):
                Connection(Where(service="nix"))
    finally:
        other.kill()
        other.wait()


def test_without_a_runtime_folder_it_is_one_of_this_user(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert folder().name == f"trio-adaptive-{os.getuid()}"
