"""Tokens in JWT (RFC 7519): a good signature by a key that may check it, and claims that are accepted."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from itertools import chain
from typing import Final

import jwt
from jwt.api_jws import PyJWS

from veneer.core.identity import Proof, claimed_values, is_accepted, window_claimed
from veneer.core.sharing import NO_COOKIES
from veneer.identity.key_sets import KeySet
from veneer.identity.keys import CheckingKey
from veneer.policy.model_identity import JwtIdentity

MOST_TOKEN_CHARS: Final = 8 * 1024


class TokenReader:
    """Says what tokens prove. It has no clock: when a token holds is part of what it says."""

    def __init__(
        self, identity: JwtIdentity, keys: tuple[CheckingKey, ...], defined_by: str, key_sets: tuple[KeySet, ...] = ()
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._key_sets = key_sets
        self._defined_by = defined_by
        self._jws = PyJWS()

    def proof(self, token: str) -> Proof | None:
        """What the token proves; None where it is not readable, forged, of another issuer or for somebody else."""
        if len(token) > MOST_TOKEN_CHARS:
            return None
        claims = self._claims(token)
        rules = self._identity.rules
        if claims is None or not is_accepted(claims, rules):
            return None
        window, values = window_claimed(claims, rules.leeway_s), claimed_values(claims, rules)
        if window is None or not values:
            return None
        cookie = self._identity.cookie
        cookies = NO_COOKIES if cookie is None else frozenset({cookie})
        return Proof(values, self._defined_by, window, cookie is None, cookies)

    def _claims(self, token: str) -> dict[str, object] | None:
        """The claims of a token that one of the keys has signed."""
        header = _header(token)
        if header is None:
            return None
        named, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(algorithm, str) or (self._identity.algorithms and algorithm not in self._identity.algorithms):
            return None
        for key in chain(self._keys, *[known.keys for known in self._key_sets]):
            if algorithm not in key.algorithms or (key.key_id is not None and key.key_id != named):
                continue
            payload = self._payload(token, key)
            if payload is not None:
                return _object(payload)
        if isinstance(named, str) and self._key_sets and self._may_be_accepted(token):
            for known in self._key_sets:
                known.missed(named)
        return None

    def _may_be_accepted(self, token: str) -> bool:
        """Whether what the token says would be accepted if it were signed: keys of other issuers are not looked for."""
        try:
            said = _object(self._jws.decode_complete(token, options={"verify_signature": False})["payload"])
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return said is not None and is_accepted(said, self._identity.rules)

    def _payload(self, token: str, key: CheckingKey) -> bytes | None:
        try:
            payload = self._jws.decode(token, key.key, list(key.algorithms))
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return payload if isinstance(payload, bytes) else None


def _header(token: str) -> dict[str, object] | None:
    """What the token says of itself, to choose the key by: whoever checks the signature reads it anew, and closely."""
    part = token.partition(".")[0]
    try:
        return _object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None


def _object(payload: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
