"""What the proxy asks other services for by itself, beside the requests that it passes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from veneer.core.fields import Fields


@dataclass(frozen=True, slots=True)
class Resource:
    """Where something is: `target` at `origin`, which is written as an upstream's URL is (http, https or unix).

    `ca`, `certificate` and `key` are paths of PEM files; `server_name` is what the certificate there has to name. The
    authorities are the system's and the name is the origin's where these are None. It is at each of the `others` as
    well, which are asked where the origin gives no answer.
    """

    origin: str
    target: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None
    others: tuple[str, ...] = ()


class Retrieved(NamedTuple):
    """A whole answer."""

    status: int
    fields: Fields
    body: bytes


class Retriever(Protocol):
    """Asks for resources (GET, RFC 9110 section 9.3.1). Redirections are not followed, contents not decoded."""

    async def get(self, resource: Resource, fields: Fields, timeout_s: float, most_bytes: int) -> Retrieved:
        """The answer to a request with these fields, whole after `timeout_s` at the latest.

        Raises UpstreamError, also where the body has more than `most_bytes`.
        """
        ...
