"""Which requests may leave HTTP on their connection, and for what (RFC 9110 section 7.8)."""

from __future__ import annotations

from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import split_list
from veneer.core.messages import RequestHead, ResponseHead

NEVER: Final = frozenset({"h2c", "h2", "tls", "http"})
"""Protocols that carry requests: what crosses under them would pass by every rule (RFC 9113 section 3.1 has dropped
h2c; TLS is this hop's own matter, RFC 2817)."""


def asked_upgrade(method: str, version: tuple[int, int], fields: Fields) -> str | None:
    """What a client's own fields ask to switch to; None where they may not.

    Upgrade counts only where Connection names it, and not in HTTP/1.0. Only a GET without content may switch: where
    content ends and the other protocol begins is no question then (RFC 6455 section 4.1 asks for GET as well).
    """
    said = fields.joined
    upgrade = said.get("upgrade")
    if upgrade is None or method != "GET" or version < (1, 1):
        return None
    if "transfer-encoding" in said or said.get("content-length", "0") != "0":
        return None
    options = {option.lower() for option in split_list(said.get("connection", ""))}
    return upgrade if "upgrade" in options else None


def negotiable(request: RequestHead, allowed: frozenset[str]) -> RequestHead:
    """The request with the protocols of its Upgrade that are `allowed`, in lower case; without Upgrade if none is."""
    upgrade = request.fields.joined.get("upgrade")
    if upgrade is None:
        return request
    kept = [name for name in split_list(upgrade) if _name(name) not in NEVER and name.lower() in allowed]
    fields = request.fields.replaced("Upgrade", ", ".join(kept)) if kept else request.fields.without(("upgrade",))
    return request.with_fields(fields)


def switches_as_asked(request: RequestHead, head: ResponseHead) -> bool:
    """Whether a 101 names one protocol, and one of those that the request went out with."""
    asked = {name.lower() for name in split_list(request.fields.joined.get("upgrade", ""))}
    chosen = [name.lower() for name in split_list(head.fields.joined.get("upgrade", ""))]
    return len(chosen) == 1 and chosen[0] in asked


def _name(protocol: str) -> str:
    """The name of a protocol without its version."""
    return protocol.partition("/")[0].lower()
