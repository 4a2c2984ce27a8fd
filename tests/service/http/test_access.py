"""Who may come in: what has to be there beyond this machine, and what a file of tokens may say."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.http.access import Access
from trio_adaptive.service.http.tls import Certificate
from trio_adaptive.service.http.tokens import read_roles
from trio_adaptive.service.listen import Address, Listen

EVERYWHERE = Address("0.0.0.0", 8788)  # noqa: S104 - what is refused, or guarded
SECRET = "correct horse battery staple"  # noqa: S105 - of these tests only


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """The paths of a certificate of a server, its key, and the authority."""
    folder, ca = tmp_path_factory.mktemp("pem"), trustme.CA()
    server = ca.issue_cert("service.example.org", "10.0.0.7")
    server.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    return folder


@pytest.fixture
def tokens(tmp_path):
    file = tmp_path / "tokens.toml"
    file.write_text(f'[[tokens]]\nname = "ann"\ntoken = "{SECRET}"\nrole = "operate"\n')
    return file


def paths(error):
    return [mistake.path for mistake in error.value.mistakes]


def test_on_this_machine_nothing_is_needed():
    access = Access(Listen())
    assert access.tls is None
    assert access.who(None, None).name == "local"


def test_beyond_this_machine_all_that_is_missing_is_told_at_once():
    with pytest.raises(ConfigurationError) as error:
        Access(Listen(EVERYWHERE))
    assert paths(error) == ["--tls-cert, --tls-key", "--tls-client-ca, --tokens"]
    assert "can be reached by other machines" in str(error.value)


def test_tls_alone_is_not_enough(pem):
    with pytest.raises(ConfigurationError) as error:
        Access(Listen(EVERYWHERE, cert=pem / "cert.pem", key=pem / "key.pem"))
    assert paths(error) == ["--tls-client-ca, --tokens"]


def test_tokens_alone_are_not_enough(tokens):
    with pytest.raises(ConfigurationError) as error:
        Access(Listen(EVERYWHERE, tokens=tokens))
    assert paths(error) == ["--tls-cert, --tls-key"]


def test_with_both_it_may_listen_everywhere(pem, tokens):
    access = Access(Listen(EVERYWHERE, cert=pem / "cert.pem", key=pem / "key.pem", tokens=tokens))
    assert access.tls.names >= {"service.example.org", "10.0.0.7"}
    assert access.who(None, None) is None
    assert access.who(SECRET, None).name == "ann"


def test_all_that_is_wrong_is_told_at_once(pem, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[[tokens]")
    listen = Listen(cert=pem / "cert.pem", key=pem / "none", client_ca=pem / "key.pem", tokens=broken)
    with pytest.raises(ConfigurationError) as error:
        Access(listen)
    assert paths(error) == ["--tls-cert, --tls-key", "--tls-client-ca", "--tokens"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"cert": "cert.pem"}, "--tls-key"),
        ({"key": "key.pem"}, "--tls-cert"),
        ({"client_ca": "ca.pem"}, "--tls-client-ca"),
        ({"cert": "ca.pem", "key": "key.pem"}, "--tls-cert, --tls-key"),
    ],
)
def test_what_does_not_fit_together_is_refused(pem, given, path):
    with pytest.raises(ConfigurationError) as error:
        Access(Listen(**{name: pem / file for name, file in given.items()}))
    assert paths(error) == [path]


def test_an_expired_certificate_of_the_service_is_refused(tmp_path):
    past = datetime.now(UTC) - timedelta(days=1)
    expired = trustme.CA().issue_cert("localhost", not_after=past, not_before=past - timedelta(days=1))
    expired.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    expired.private_key_pem.write_to_path(tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="expired"):
        Access(Listen(cert=tmp_path / "cert.pem", key=tmp_path / "key.pem"))


def test_an_encrypted_key_is_refused_without_asking(pem, tmp_path):
    key = serialization.load_pem_private_key((pem / "key.pem").read_bytes(), None)
    locked = tmp_path / "locked.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    locked.write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"x")))
    with pytest.raises(ConfigurationError, match="not encrypted"):
        Access(Listen(cert=pem / "cert.pem", key=locked))


def test_a_file_of_tokens(tmp_path):
    file = tmp_path / "tokens.toml"
    file.write_text(f"""
[[tokens]]
name = "ann"
token = "{SECRET}"
role = "operate"

[[tokens]]
name = "grafana"
sha256 = "{hashlib.sha256(b"another secret of some length").hexdigest()}"
role = "read"

[[certificates]]
name = "ops.example.org"
role = "read"
""")
    roles = read_roles(file)
    assert (roles.token(SECRET).name, roles.token(SECRET).role) == ("ann", "operate")
    assert roles.token("another secret of some length").role == "read"
    assert roles.token("") is roles.token(SECRET[:-1]) is roles.token("\udcff") is None
    assert roles.certificate(["x", "ops.example.org"]) == "read"
    assert roles.certificate(["x"]) is None
    assert SECRET not in repr(roles)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[tokens]", "tokens"),
        ("tokens = 3", "tokens"),
        ("[[others]]", "others"),
        (f'[[tokens]]\ntoken = "{SECRET}"\nrole = "read"', "tokens[0].name"),
        (f'[[tokens]]\nname = "a"\ntoken = "{SECRET}"\nrole = "admin"', "tokens[0].role"),
        (f'[[tokens]]\nname = "a"\ntoken = "{SECRET}"\nrole = ["read"]', "tokens[0].role"),
        (f'[[tokens]]\nname = "a"\ntoken = "{SECRET}"\nrole = "read"\nuntil = 3', "tokens[0].until"),
        ('[[tokens]]\nname = "a"\nrole = "read"', "tokens[0]"),
        ('[[tokens]]\nname = "a"\nrole = "read"\ntoken = "short"', "tokens[0].token"),
        ('[[tokens]]\nname = "a"\nrole = "read"\nsha256 = "12"', "tokens[0].sha256"),
        ('[[certificates]]\nname = 7\nrole = "read"', "certificates[0].name"),
        (f'[[tokens]]\nname = "a"\ntoken = "{SECRET}"\nrole = "read"\n' * 2, "tokens"),
    ],
)
def test_mistakes_in_a_file_of_tokens_are_named_without_the_secret(tmp_path, text, path):
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        read_roles(file)
    assert f"{file}: {path}" in paths(error)
    assert SECRET not in str(error.value)


def test_a_certificate_that_is_not_listed_does_not_count_where_some_are(pem, tokens):
    files = {"cert": pem / "cert.pem", "key": pem / "key.pem", "client_ca": pem / "ca.pem", "tokens": tokens}
    access = Access(Listen(**files))
    assert access.who(None, Certificate(("bob",))).role == "operate"
    tokens.write_text(f'{tokens.read_text()}\n[[certificates]]\nname = "ann"\nrole = "read"\n')
    access = Access(Listen(**files))
    assert access.who(None, Certificate(("bob",))) is None
    assert access.who(None, Certificate(("ann",))).role == "read"
