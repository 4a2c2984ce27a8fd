"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import frozen
from starlette.requests import HTTPConnection

Role: TypeAlias = Literal["read", "operate"]
"""read: see everything; operate: change things as well."""


def _always() -> bool:
    return True


@frozen
class Who:
    """Somebody who has proven who they are, or need not.

    Attributes:
        name: for records; that of a token, or of a certificate.
        role: what they may do.
        still: whether this holds yet: a token may be withdrawn while a stream is being read.
    """

    name: str
    role: Role
    still: Callable[[], bool] = _always


LOCAL = Who("local", "operate")
"""Whoever reaches a service that is of this machine only, and asks nobody."""


def who_asks(request: HTTPConnection) -> Who:
    """The one whom the guard has let in."""
    who: Who = request.scope.get("who", LOCAL)
    return who
