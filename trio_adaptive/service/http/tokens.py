"""Who may do what, from a file: bearer tokens, and the names of client certificates.

.. code-block:: toml

    [[tokens]]
    name = "ann"             # stands in records
    sha256 = "9f86d0..."     # of the token; or token = "..." itself
    role = "operate"         # or "read"

    [[certificates]]         # where there is one, no other certificate will do
    name = "ops.example.org" # common name, or one of the alternative names
    role = "read"

No message has a token in it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, cast, get_args

from attrs import frozen

from trio_adaptive.errors import ConfigurationError, Mistake
from trio_adaptive.service.http.identity import Role

LEAST: Final = 20
"""The shortest token, in characters: what is shorter can be guessed."""

SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
ROLES: Final = get_args(Role)


@frozen
class Token:
    """Somebody who proves who they are by a secret.

    Attributes:
        name: for records.
        role: what they may do.
        digest: the SHA-256 of the secret, which is not kept.
    """

    name: str
    role: Role
    digest: bytes


@frozen
class Roles:
    """What a file says.

    Attributes:
        tokens: all of them.
        certificates: roles by a name in the certificate; None where every certificate of the authority may operate.
    """

    tokens: tuple[Token, ...] = ()
    certificates: Mapping[str, Role] | None = None

    def token(self, secret: str) -> Token | None:
        """The token with this secret. Takes as long whichever it is, or none."""
        digest = hashlib.sha256(secret.encode(errors="surrogateescape")).digest()
        found: Token | None = None
        for token in self.tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def certificate(self, names: Collection[str]) -> Role | None:
        """What a certificate with these names may do; None for nothing."""
        if self.certificates is None:
            return "operate"
        return next((self.certificates[name] for name in names if name in self.certificates), None)


def read_roles(file: Path) -> Roles:
    """What a file says.

    Raises:
        ConfigurationError: naming all that is wrong with it.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"{file} cannot be read: {error}"
        raise ConfigurationError([Mistake("--tokens", problem, "a TOML file in UTF-8")]) from None
    reader = _Reader(file)
    roles = reader.roles(content)
    if reader.mistakes:
        raise ConfigurationError(reader.mistakes)
    return roles


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.mistakes: list[Mistake] = []

    def _wrong(self, place: str, problem: str, allowed: str) -> None:
        self.mistakes.append(Mistake(f"{self._file}: {place}", problem, allowed))

    def roles(self, content: Mapping[str, Any]) -> Roles:
        for key in content.keys() - {"tokens", "certificates"}:
            self._wrong(key, "unknown", "tokens and certificates")
        tokens = [self._token(f"tokens[{n}]", table) for n, table in self._tables(content, "tokens")]
        known = [token for token in tokens if token is not None]
        for what in ("name", "digest"):
            if len({getattr(token, what) for token in known}) < len(known):
                self._wrong(
                    "tokens", f"two have the same {'secret' if what == 'digest' else what}", "one of each"
                )
        listed = [
            self._certificate(f"certificates[{n}]", t) for n, t in self._tables(content, "certificates")
        ]
        return Roles(tuple(known), dict(filter(None, listed)) if "certificates" in content else None)

    def _tables(self, content: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
        tables = content.get(key, [])
        if isinstance(tables, list) and all(isinstance(each, dict) for each in cast("list[object]", tables)):
            return list(enumerate(cast("list[Mapping[str, Any]]", tables)))
        self._wrong(key, "is no list of tables", f"[[{key}]]")
        return []

    def _named(self, place: str, table: Mapping[str, Any], keys: Collection[str]) -> tuple[str, Role] | None:
        before = len(self.mistakes)
        for key in table.keys() - keys:
            self._wrong(f"{place}.{key}", "unknown", ", ".join(sorted(keys)))
        name, role = table.get("name"), table.get("role")
        if not isinstance(name, str) or not name or not name.isprintable():
            self._wrong(f"{place}.name", "is missing, or no text", "a line of text")
        if role not in ROLES:
            self._wrong(f"{place}.role", "is missing, or something else", " or ".join(map(repr, ROLES)))
        return None if len(self.mistakes) > before else (str(name), cast("Role", role))

    def _token(self, place: str, table: Mapping[str, Any]) -> Token | None:
        named = self._named(place, table, {"name", "role", "token", "sha256"})
        secret, sha256 = table.get("token"), table.get("sha256")
        digest = b""
        if (secret is None) == (sha256 is None):
            self._wrong(place, "has neither or both of token and sha256", "one of them")
        elif secret is not None:
            if not isinstance(secret, str) or len(secret) < LEAST or not secret.isascii():
                self._wrong(
                    f"{place}.token", "is too short, or not plain text", f"{LEAST} ASCII characters or more"
                )
            else:
                digest = hashlib.sha256(secret.encode()).digest()
        elif not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            self._wrong(f"{place}.sha256", "is something else", "64 hexadecimal digits")
        else:
            digest = bytes.fromhex(sha256)
        return Token(*named, digest) if named and digest else None

    def _certificate(self, place: str, table: Mapping[str, Any]) -> tuple[str, Role] | None:
        return self._named(place, table, {"name", "role"})
