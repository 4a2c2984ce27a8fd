"""What a browser, or anybody, must not do to a service that trusts this machine."""

from __future__ import annotations

import pytest

from trio_adaptive.service.http import guard
from trio_adaptive.service.http.rates import ADDRESSES, Buckets, peer_of

STATUS = "/api/v1/clusters/default"
PAUSE = f"{STATUS}/pause"


@pytest.mark.anyio
@pytest.mark.integration
class TestOverHttp:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8788", "127.0.0.1.evil.example", "", "[::2]"]
    )
    async def test_a_name_that_is_not_ours_is_refused(self, world, host):
        async with world() as here:
            for path in (STATUS, "/"):
                answer = await here.client.get(path, headers={"host": host})
                assert answer.status_code == 421
            assert (await here.client.get("/healthz", headers={"host": host})).status_code == 200

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9999", "[::1]:80", "localhost."])
    async def test_the_names_of_this_machine_will_do_by_any_port(self, world, host):
        async with world() as here:
            assert (await here.client.get(STATUS, headers={"host": host})).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "https://HOST"},
            {"origin": "http://HOST.evil.example"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "same-origin", "origin": "http://localhost:1"},
        ],
    )
    async def test_a_page_from_elsewhere_neither_changes_nor_reads(self, world, headers):
        async with world() as here:
            host = here.url.partition("://")[2]
            headers = {name: value.replace("HOST", host) for name, value in headers.items()}
            changed = await here.client.post(PAUSE, json={}, headers=headers)
            read = await here.client.get(STATUS, headers=headers)
            assert (changed.status_code, read.status_code) == (403, 403)
            assert here.scaler.statistics().paused == ()

    async def test_our_own_page_may(self, world):
        async with world() as here:
            headers = {"origin": here.url, "sec-fetch-site": "same-origin"}
            assert (await here.client.post(PAUSE, json={}, headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    async def test_what_a_form_can_send_is_refused(self, world, kind):
        async with world() as here:
            answer = await here.client.post(PAUSE, content=b"{}", headers={"content-type": kind})
            assert answer.status_code == 415
            assert here.scaler.statistics().paused == ()

    async def test_every_answer_has_strict_headers(self, world):
        async with world() as here:
            for path in ("/healthz", STATUS, "/nowhere", "/api/v1/clusters/other"):
                headers = (await here.client.get(path)).headers
                assert "default-src 'none'" in headers["content-security-policy"]
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["x-frame-options"] == "DENY"
                assert headers["referrer-policy"] == "no-referrer"
                assert headers["cache-control"] == "no-store"
                assert "access-control-allow-origin" not in headers
                assert "server" not in headers

    async def test_a_body_that_says_that_it_is_too_long_is_not_read(self, world):
        async with world() as here:
            answer = await here.client.post(PAUSE, json={"direction": "x" * 70_000})
            assert answer.status_code == 413

    async def test_too_many_header_fields_are_refused(self, world):
        async with world() as here:
            answer = await here.client.get(STATUS, headers={f"x-{n}": "y" for n in range(120)})
            assert answer.status_code == 431

    async def test_too_many_changes_have_to_wait(self, world, monkeypatch):
        monkeypatch.setattr(guard, "CHANGES", (1e-3, 3.0))
        async with world() as here:
            answers = [(await here.client.post(PAUSE, json={})) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert 0 < int(answers[-1].headers["retry-after"]) <= 1001
            assert (await here.client.get(STATUS)).status_code == 200

    @pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "DELETE", "PUT", "FOO"])
    async def test_other_methods_are_refused(self, world, method):
        async with world() as here:
            assert (await here.client.request(method, STATUS)).status_code == 405


def test_a_bucket_lets_a_burst_through_and_then_a_steady_rate():
    buckets = Buckets(rate=2, burst=3)
    for _ in range(3):
        assert buckets.wait("a", 10) == 0
        buckets.take("a", 10)
    assert buckets.wait("a", 10) == 0.5
    assert buckets.wait("b", 10) == 0
    assert buckets.wait("a", 10.5) == 0
    buckets.take("a", 10.5)
    assert buckets.wait("a", 10.5) == 0.5
    assert buckets.wait("a", 1000) == 0


def test_buckets_do_not_grow_without_bound():
    buckets = Buckets(rate=1, burst=1)
    for number in range(ADDRESSES + 100):
        buckets.take(str(number), number)
    assert len(buckets._left) == ADDRESSES


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_whom_an_address_stands_for(host, peer):
    assert peer_of(host) == peer
