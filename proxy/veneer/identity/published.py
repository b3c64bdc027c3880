"""JSON Web Key Sets (RFC 7517): the public keys that an issuer publishes, each with what it may check."""

from __future__ import annotations

import json
from typing import Any, Final

import jwt
from jwt import PyJWK

from veneer.identity.keys import BadKeyError, CheckingKey, algorithms_of, usable

MOST_KEYS: Final = 64
PUBLIC_MEMBERS: Final = ("kty", "crv", "n", "e", "x", "y")
"""What makes a public key (RFC 7518 sections 6.2.1 and 6.3.1, RFC 8037 section 2)."""
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
SAME_AS: Final = {"Ed25519": "EdDSA", "Ed448": "EdDSA"}
"""Names of RFC 9864 and what they are called here."""


class BadKeySetError(Exception):
    """An answer that is no key set."""


def published_keys(body: bytes) -> tuple[CheckingKey, ...]:
    """The keys of a set that tokens may be checked by. Raises BadKeySetError.

    Not counted: secrets, private keys, weak ones, those that are for something else (`use`, `key_ops`, `alg`), and what
    is of no known kind (RFC 7517 section 5 has these ignored).
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadKeySetError("the answer is not JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise BadKeySetError('the answer has no list "keys"')
    if len(listed) > MOST_KEYS:
        msg = f"the answer has {len(listed)} keys, and may have {MOST_KEYS}"
        raise BadKeySetError(msg)
    return tuple([key for one in listed if isinstance(one, dict) and (key := _key(one)) is not None])


def _key(said: dict[str, Any]) -> CheckingKey | None:
    key_id, algorithm = said.get("kid"), said.get("alg")
    if said.get("kty") == "oct" or not PRIVATE_MEMBERS.isdisjoint(said) or not _is_for_checking(said):
        return None
    if not isinstance(key_id, str | None) or not isinstance(algorithm, str | None):
        return None
    try:
        found = usable(PyJWK({name: said[name] for name in PUBLIC_MEMBERS if name in said}).key, "the key")
    except (jwt.PyJWTError, BadKeyError, ValueError, TypeError, RecursionError):
        return None
    fitting = algorithms_of(found)
    if algorithm is not None:
        fitting &= {SAME_AS.get(algorithm, algorithm)}
    return CheckingKey(found, tuple(sorted(fitting)), key_id) if fitting else None


def _is_for_checking(said: dict[str, Any]) -> bool:
    """Whether it checks signatures, as far as it says (RFC 7517 sections 4.2 and 4.3)."""
    operations = said.get("key_ops")
    return said.get("use", "sig") == "sig" and (operations is None or "verify" in operations)
