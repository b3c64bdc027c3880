"""A plain blocking HTTP client for tests over real sockets: one request, one answer, nothing done to either."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the header lines in order, and the body's bytes as they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """All lines of one header joined by commas; None where there is none."""
        lines = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(lines) if lines else None

    @property
    def hit(self) -> bool:
        """Whether Cache-Status (RFC 9211) says that the answer came out of the cache."""
        return "hit" in (self.header("Cache-Status") or "").replace(";", " ").split()


def fetch(
    url: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 20,
) -> Answer:
    """Send one request on a connection of its own; a connection error is the caller's to see."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)) as connection:
        connection.request(method, target or "/", body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())
