"""Request and response heads: what the core reasons about (RFC 9110 sections 6 to 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.fields import Fields

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"})
"""Methods registered as safe (RFC 9110 section 9.2.1 and the IANA registry); every other method is unsafe."""

DEFAULT_AUTHORITY: Final = "policy.test"
"""Whom a request is for that is judged without being sent, and names nobody."""

BytesLike = bytes | memoryview
"""A piece of a body on its way."""


# Heads have a way of their own to be made: that of a dataclass runs Python even where the class is compiled. Compiled,
# their members cost a thirtieth of a Struct's.
@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class RequestHead:
    """A client's request as it is matched, keyed and forwarded.

    `path` is normalised (core.target) and `query` is the text after "?" or None; `authority` is the lower-case
    host and port the request was made for. `fields` are end-to-end only: hop-by-hop fields are gone.
    """

    method: Final[str]
    path: Final[str]
    query: Final[str | None]
    authority: Final[str]
    fields: Final[Fields]
    scheme: Final[str]
    version: Final[tuple[int, int]]

    def __init__(
        self,
        method: str,
        path: str,
        query: str | None,
        authority: str,
        fields: Fields,
        scheme: str = "http",
        version: tuple[int, int] = (1, 1),
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.authority = authority
        self.fields = fields
        self.scheme = scheme
        self.version = version

    @property
    def target(self) -> str:
        """The request target in origin form, as it is forwarded (RFC 9112 section 3.2.1)."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def with_fields(self, fields: Fields) -> RequestHead:
        """This request with other fields."""
        if fields is self.fields:
            return self
        return RequestHead(self.method, self.path, self.query, self.authority, fields, self.scheme, self.version)

    @property
    def is_safe(self) -> bool:
        """Whether the method is known to be safe (RFC 9110 section 9.2.1)."""
        return self.method in SAFE_METHODS


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class ResponseHead:
    """A response's status line and its end-to-end fields."""

    status: Final[int]
    reason: Final[str]
    fields: Final[Fields]

    def __init__(self, status: int, reason: str, fields: Fields) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
