"""Each command to a running service: what it does there, what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest
import trio

pytestmark = pytest.mark.trio


async def test_status_tells_of_all_clusters(open_service):
    async with open_service("blue", "green") as service:
        text = await service.ask("status")
        assert "blue: 1 ready" in text
        assert "target 1 of 0..10; policy demand" in text
        assert "green" in text
        assert "green" not in await service.ask("status", "--cluster", "blue")
        told = json.loads(await service.ask("status", "--json"))
        assert [each["name"] for each in told["clusters"]] == ["blue", "green"]
        await service.ask("status", "--ready")


async def test_status_has_an_exit_code_for_what_is_not_ready(open_service):
    async with open_service("blue", "green") as service:
        service.scalers["blue"].stop("for a test")
        await service.scalers["blue"].wait_stopped()
        assert "blue is not adapting" in await service.ask("status", "--ready", code=3)


async def test_pause_and_resume(open_service):
    async with open_service("blue") as service:
        assert "paused: growing" in await service.ask("pause", "growing")
        assert service.scalers["blue"].statistics().paused == ("growing",)
        assert "paused" not in await service.ask("resume")
        assert service.scalers["blue"].statistics().paused == ()


async def test_hold_and_request(open_service):
    async with open_service("blue") as service:
        assert "held at 3 until" in await service.ask("hold", "3", "--for", "10 min")
        await service.scalers["blue"].wait_for(3)
        assert "held" not in (await service.ask("hold", "release")).split("\n", 2)[-1]
        assert service.scalers["blue"].statistics().hold is None
        assert "requested: at least 4" in await service.ask("request", "4", "--for", "1 min")
        await service.scalers["blue"].wait_for(4)


async def test_limits(open_service):
    async with open_service("blue") as service:
        assert "2..5" in await service.ask("limits", "--minimum", "2", "--maximum", "5")
        assert json.loads(await service.ask("limits")) == {"minimum": 2, "maximum": 5}
        assert "2..inf" in await service.ask("limits", "--maximum", "inf")
        assert "minimum" in await service.ask("limits", "--minimum", "9", "--maximum", "5", code=2)


async def test_why_asks_the_service_where_there_is_no_journal(open_service):
    async with open_service("blue") as service:
        assert "launched" in await service.ask("why", "--last", "5")
        await service.ask("hold", "2")
        assert "held at 2, by " in await service.ask("why")


async def test_reload_and_stop(open_service):
    async with open_service("blue") as service:
        text = await service.ask("reload")
        assert text == "applied: cluster.adaptive.maximum\nonly after a restart: service.listen\n"
        await service.ask("stop", "--cluster", "blue", "--reason", "enough of it")
        await service.scalers["blue"].wait_stopped()
        assert service.stops == []
        await service.ask("stop", "--reason", "enough")
        assert service.stops[0].startswith("enough")


async def test_which_cluster_has_to_be_said_where_there_are_several(open_service):
    async with open_service("blue", "green") as service:
        assert "--cluster: is needed, since there are 2 clusters; allowed: blue, green" in await service.ask(
            "pause", code=2
        )
        assert "'red'" in await service.ask("pause", "--cluster", "red", code=3)
        assert "paused: growing and shrinking" in await service.ask("pause", "--cluster", "green")
        assert service.scalers["blue"].statistics().paused == ()


async def test_where_nothing_answers(open_service):
    async with open_service("blue") as service:
        assert "no answer" in await service.run("status", "--url", "http://127.0.0.1:1", code=6)
        assert "no service runs" in await service.run("status", code=6)
        assert "--url" in await service.run("status", "--url", "nowhere", code=2)


async def test_a_token_is_not_sent_in_the_open(open_service, monkeypatch, tmp_path):
    async with open_service("blue") as service:
        monkeypatch.setenv("TRIO_ADAPTIVE_TOKEN", "a" * 30)
        text = await service.run("status", "--url", "http://192.0.2.1:8788", code=2)
        assert "would show the token to others" in text
        assert "aaa" not in text
        empty = tmp_path / "token"
        empty.write_text("\n")
        assert "has no token" in await service.ask("status", "--token-file", str(empty), code=2)


async def test_a_server_that_is_no_service_of_ours(open_service):
    async def answer(stream):
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")

    async with open_service("blue") as service, trio.open_nursery() as nursery:
        listener, *_ = await nursery.start(trio.serve_tcp, answer, 0)
        port = listener.socket.getsockname()[1]
        assert "is no service of ours" in await service.run(
            "status", "--url", f"http://127.0.0.1:{port}", code=6
        )
        nursery.cancel_scope.cancel()
