"""Commands to a running service where the extra ``[service]`` has not been installed."""

from __future__ import annotations

import sys

import pytest

from trio_adaptive.cli import main


@pytest.mark.parametrize("command", [["status"], ["why"], ["pause"]])
def test_the_error_tells_what_to_install(command, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "trio_adaptive.service.client.connection", raising=False)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "not installed: httpx" in told
    assert "pip install 'trio-adaptive[service]'" in told
