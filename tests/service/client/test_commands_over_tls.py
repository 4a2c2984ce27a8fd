"""The same commands over TLS, with real certificates: whom they trust, and who they say they are."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager

import pytest
import trio
import trustme

from trio_adaptive.cli import main
from trio_adaptive.service.fleet import Fleet
from trio_adaptive.service.http.web import web
from trio_adaptive.service.listen import Address, Listen

pytestmark = pytest.mark.trio

SECRET = "a-secret-that-is-long-enough-for-it"  # noqa: S105

TOKEN, WRONG = {"token_file": "token"}, {"token_file": "wrong"}


class Safe:
    """Certificates and tokens in a folder, and a service that asks for them."""

    def __init__(self, folder, read):
        self.read = read
        self.folder = folder
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "other.pem")
        server = authority.issue_cert("localhost")
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        client = authority.issue_cert("ann@example.org", common_name="ann")
        client.private_key_pem.write_to_path(folder / "key.pem")
        client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        client.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        (folder / "tokens.toml").write_text(f'[[tokens]]\nname = "bob"\nsha256 = "{digest}"\nrole = "read"\n')
        (folder / "token").write_text(SECRET + "\n")
        (folder / "wrong").write_text("another-secret-that-is-long-enough\n")

    @asynccontextmanager
    async def serving(self):
        server = self.folder / "server.pem"
        files = {"client_ca": self.folder / "ca.pem", "tokens": self.folder / "tokens.toml"}
        listen = Listen(Address("127.0.0.1", 0), may_move=False, cert=server, key=server, **files)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                url = await nursery.start(web(listen), Fleet(lambda _: None, expected=()))
                yield url.replace("127.0.0.1", "localhost")
                nursery.cancel_scope.cancel()

    async def run(self, command, url, code=0, **options):
        given = [
            part
            for name, file in options.items()
            for part in (f"--{name.replace('_', '-')}", str(self.folder / file))
        ]
        found = await trio.to_thread.run_sync(main, [command, "--url", url, *given])
        out, err = self.read()
        assert found == code, (found, out, err)
        assert SECRET not in out + err
        return out + err


@pytest.fixture
def safe(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("TRIO_ADAPTIVE_TOKEN", raising=False)
    return Safe(tmp_path, capsys.readouterr)


async def test_a_token_or_a_certificate_lets_in(safe):
    async with safe.serving() as url:
        for who in (TOKEN, {"cert": "cert.pem", "key": "key.pem"}, {"cert": "both.pem"}):
            assert "no cluster is up" in await safe.run("status", url, ca="ca.pem", **who)


async def test_the_token_may_come_from_the_environment(safe, monkeypatch):
    monkeypatch.setenv("TRIO_ADAPTIVE_TOKEN", SECRET)
    async with safe.serving() as url:
        await safe.run("status", url, ca="ca.pem")


async def test_who_is_not_known_or_may_only_read_is_told_so(safe):
    async with safe.serving() as url:
        await safe.run("status", url, code=7, ca="ca.pem")
        await safe.run("status", url, code=7, ca="ca.pem", **WRONG)
        await safe.run("reload", url, code=7, ca="ca.pem", **TOKEN)


async def test_a_server_of_another_authority_or_name_gets_no_token(safe):
    async with safe.serving() as url:
        for where, ca in ((url, "other.pem"), (url.replace("localhost", "127.0.0.1"), "ca.pem")):
            text = await safe.run("status", where, code=6, ca=ca, **TOKEN)
            assert "certificate verify failed" in text


async def test_files_that_are_no_certificates(safe):
    async with safe.serving() as url:
        assert "--ca" in await safe.run("status", url, code=2, ca="token")
        assert "--cert" in await safe.run("status", url, code=2, ca="ca.pem", cert="none.pem")
