"""TLS and who may what, with real certificates: the wrong authority, expired, for another host, none, withdrawn."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio
import trustme
from raw_http import address_of, connected

from trio_adaptive.service.http import access, guard
from trio_adaptive.service.listen import Address, Listen

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

STATUS = "/api/v1/clusters/default"
ANN, GRAFANA = "a secret of ann's, long enough", "a secret for reading only"
OPERATE = {"authorization": f"Bearer {ANN}"}
READ = {"authorization": f"Bearer {GRAFANA}"}


class Files:
    """An authority, and what it has issued, on disk."""

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.clients = trustme.CA(), trustme.CA()
        self.server(self.ca)
        self.clients.cert_pem.write_to_path(folder / "clients.pem")
        self.tokens(("ann", ANN, "operate"), ("grafana", GRAFANA, "read"))

    def server(self, ca, *names):
        issued = ca.issue_cert(*(names or ("127.0.0.1", "localhost")))
        issued.private_key_pem.write_to_path(self.folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")

    def tokens(self, *tokens):
        tables = [f'[[tokens]]\nname = "{n}"\ntoken = "{t}"\nrole = "{r}"\n' for n, t, r in tokens]
        (self.folder / "tokens.toml").write_text("\n".join(tables))

    def listen(self, *, clients=False, tokens=False):
        return Listen(
            Address("127.0.0.1", 0),
            may_move=False,
            cert=self.folder / "cert.pem",
            key=self.folder / "key.pem",
            client_ca=self.folder / "clients.pem" if clients else None,
            tokens=self.folder / "tokens.toml" if tokens else None,
        )

    def trusting(self, client=None, ca=None):
        """How a client begins that trusts the service's authority, with a certificate or without."""
        context = ssl.create_default_context()
        (ca or self.ca).configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        return {"verify": context}


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(access, "LOOK", 0.05)


async def code(here, **more):
    return (await here.client.get(STATUS, **more)).status_code


async def refused(here, **client):
    async with httpx.AsyncClient(base_url=here.url, **client) as asking:
        with pytest.raises(httpx.TransportError):
            await asking.get(STATUS)


async def test_over_tls_with_a_token(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert here.url.startswith("https://")
        answer = await here.client.get(STATUS, headers=OPERATE)
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"]
        assert await code(here, headers={"authorization": f"bearer {ANN}"}) == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer"}, {"authorization": f"Basic {ANN}"}, {"authorization": "Bearer guess"}],
)
async def test_without_a_token_that_counts_nothing_is_told(world, files, headers):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        for path in (STATUS, "/api/v1/clusters", "/nowhere", "/metrics", "/api/v1/openapi.json"):
            answer = await here.client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await here.client.get("/healthz")).status_code == 200


async def test_guessing_is_slowed_down_and_whoever_knows_still_gets_in(world, files, monkeypatch):
    monkeypatch.setattr(guard, "FAILURES", (1e-3, 3.0))
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        wrong = {"authorization": "Bearer guess"}
        assert [await code(here, headers=wrong) for _ in range(4)] == [401, 401, 401, 429]
        assert await code(here, headers=OPERATE) == 200


async def test_a_reader_may_not_operate(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert await code(here, headers=READ) == 200
        answer = await here.client.post(f"{STATUS}/pause", json={}, headers=READ)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "grafana may read, and not operate"
        assert here.scaler.statistics().paused == ()


async def test_the_record_tells_whose_token_it_was(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert (await here.client.post(f"{STATUS}/pause", json={}, headers=OPERATE)).status_code == 200
        assert here.scaler.history[-1].at
        commands = [record.command for record in here.scaler.history if record.command is not None]
    assert [command.by for command in commands] == ["ann from 127.0.0.1"]


async def test_a_token_that_is_withdrawn_counts_no_longer_and_ends_its_streams(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        peer = await connected_over_tls(here, files)
        async with peer.stream:
            head = await peer.ask("GET", f"{STATUS}/events", here.url.partition("://")[2], **OPERATE)
            assert head.status_code == 200
            files.tokens(("grafana", GRAFANA, "read"))
            while await code(here, headers=OPERATE) == 200:
                await trio.sleep(0.02)
            while type(await peer.next()).__name__ == "Data":
                pass
        assert await code(here, headers=READ) == 200


async def connected_over_tls(here, files):
    host, port = address_of(here.url)
    peer = await connected(here.url)
    await peer.stream.aclose()
    peer.stream = await trio.open_ssl_over_tcp_stream(
        host, port, ssl_context=files.trusting()["verify"], https_compatible=True
    )
    return peer


async def test_a_file_of_tokens_that_is_broken_changes_nothing(world, files, caplog):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        (files.folder / "tokens.toml").write_text("[[tokens]")
        while "stay as they were" not in caplog.text:
            await trio.sleep(0.02)
        assert await code(here, headers=OPERATE) == 200
    assert ANN not in caplog.text


async def test_a_client_certificate_will_do(world, files):
    ann = files.clients.issue_cert("ann@example.org", common_name="ann")
    async with world(listen=files.listen(clients=True), client=files.trusting(ann)) as here:
        assert (await here.client.post(f"{STATUS}/pause", json={})).status_code == 200
        commands = [record.command for record in here.scaler.history if record.command is not None]
    assert [command.by for command in commands] == ["ann from 127.0.0.1"]


async def test_a_client_without_a_certificate_of_the_authority_does_not_get_in(world, files):
    past = datetime.now(UTC) - timedelta(days=1)
    strangers = {
        "none": None,
        "of another authority": trustme.CA().issue_cert("ann@example.org"),
        "of the service's own authority": files.ca.issue_cert("ann@example.org"),
        "expired": files.clients.issue_cert("a@b.c", not_after=past, not_before=past - timedelta(days=1)),
    }
    async with world(listen=files.listen(clients=True), client=files.trusting()) as here:
        for stranger in strangers.values():
            await refused(here, **files.trusting(stranger))
        assert not [record for record in here.scaler.history if record.command is not None]


async def test_with_both_a_token_is_as_good_as_a_certificate(world, files):
    ann = files.clients.issue_cert("ann@example.org")
    async with world(listen=files.listen(clients=True, tokens=True), client=files.trusting()) as here:
        assert await code(here) == 401
        assert await code(here, headers=READ) == 200
        async with httpx.AsyncClient(base_url=here.url, **files.trusting(ann)) as asking:
            assert (await asking.get(STATUS)).status_code == 200


async def test_a_client_notices_a_service_that_is_not_the_right_one(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert "issuer" in await why_not(here, files.trusting(ca=trustme.CA()))
    files.server(files.ca, "another.example.org")
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert "not valid for '127.0.0.1'" in await why_not(here, files.trusting())


async def why_not(here, client):
    """What a client says of the service's certificate."""
    host, port = address_of(here.url)
    stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=client["verify"])
    with pytest.raises(trio.BrokenResourceError) as error:
        await stream.do_handshake()
    await trio.aclose_forcefully(stream)
    return error.value.__cause__.verify_message


async def test_older_versions_of_tls_and_no_tls_are_refused(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        old = ssl.create_default_context()
        files.ca.configure_trust(old)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        await refused(here, verify=old)
        async with httpx.AsyncClient() as plain:
            with pytest.raises(httpx.TransportError):
                await plain.get(here.url.replace("https", "http") + STATUS)
        assert await code(here, headers=OPERATE) == 200


async def test_a_new_certificate_counts_without_a_restart(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert await code(here, headers=OPERATE) == 200
        renewed = trustme.CA()
        files.server(renewed)
        with trio.fail_after(10):
            while True:
                try:
                    async with httpx.AsyncClient(base_url=here.url, **files.trusting(ca=renewed)) as asking:
                        assert (await asking.get(STATUS, headers=OPERATE)).status_code == 200
                    break
                except httpx.ConnectError:
                    await trio.sleep(0.02)


async def test_by_a_name_that_is_not_in_the_certificate_nobody_is_served(world, files):
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        assert await code(here, headers=OPERATE | {"host": "evil.example"}) == 421
        assert await code(here, headers=OPERATE | {"host": "localhost:1"}) == 200


async def test_a_peer_that_never_shakes_hands_is_given_up(world, files, monkeypatch):
    monkeypatch.setattr("trio_adaptive.service.http.tls.HANDSHAKE", 0.1)
    async with world(listen=files.listen(tokens=True), client=files.trusting()) as here:
        async with await trio.open_tcp_stream(*address_of(here.url)) as silent:
            assert await silent.receive_some() == b""
        assert await code(here, headers=OPERATE) == 200
