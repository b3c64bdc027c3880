"""Under which key a client's state is kept."""

from __future__ import annotations

import hashlib
from typing import Final

from veneer.core.rate import RateLimit
from veneer.policy.model import RateKeyKind

_LONGEST_CLIENT: Final = 64


def client_key(limit: RateLimit, client: str) -> str:
    """One client under one limit. Long clients (a token, say) are hashed: they would fill the store.

    So are those with braces or control characters: a brace would choose the slot in a Redis Cluster.
    """
    if len(client) > _LONGEST_CLIENT or "{" in client or not client.isprintable():
        client = hashlib.blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{limit.key}|{client}"


def shared_client(route: str, kind: RateKeyKind) -> str | None:
    """The name under which all clients of a route are counted together; None where each is counted alone."""
    match kind:
        case RateKeyKind.ROUTE:
            return f"route:{route}"
        case RateKeyKind.GLOBAL:
            return "global"
        case _:
            return None
