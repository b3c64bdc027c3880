"""An issuer that publishes its keys and takes them back, and a service that knows whose opaque credentials are."""

from __future__ import annotations

import json
import random

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from checks.identities.heads import HeadConnection, fields_of
from checks.identities.people import AUDIENCE, FAR_AWAY, ISSUER, TENANTS, USERS, Credential, TokenKind

TURN_S = 3.0
"""How often a key is taken back, and some credentials are revoked."""
FETCHED_S = 1.0
KEY_COUNTS_S = 4.0
"""How much longer a key may count that was taken back: proxies fetch every FETCHED_S, and a machine may be busy."""
LASTS_S = 1.0
"""How much longer a credential may count that was revoked."""
CURRENT, PAST = 12, 24


class Services:
    """Whose credentials are, by those who give them out."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._known: dict[str, Credential] = {}
        self._turns = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.published = [self._published() for _ in range(CURRENT)]
        self.opaque = [self._opaque() for _ in range(CURRENT)]

    def whose(self, authorization: str) -> Credential | None:
        """Whose a credential is as long as it counts."""
        return self._known.get(authorization)

    def key_set(self) -> bytes:
        """The one key that counts (RFC 7517)."""
        said = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        said.pop("key_ops", None)
        return json.dumps({"keys": [{**said, "kid": str(self._turns)}]}).encode()

    def turn(self, now: float) -> None:
        """Take the key back for another, and revoke half of the opaque credentials."""
        self._turns += 1
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._end(self.published[-CURRENT:], now + KEY_COUNTS_S)
        self._end(self.opaque[-CURRENT // 2 :], now + LASTS_S)
        kept = self.opaque[-CURRENT : -CURRENT // 2]
        self.published = [*self.published[-PAST:], *[self._published() for _ in range(CURRENT)]]
        self.opaque = [*self.opaque[-PAST:], *kept, *[self._opaque() for _ in range(CURRENT // 2)]]

    def _end(self, credentials: list[Credential], ends: float) -> None:
        for one in credentials:
            if self._known.pop(one.authorization, None) is not None:
                one.ends = ends

    def _published(self) -> Credential:
        tenant, user = self._chance.choice(TENANTS), self._chance.choice(USERS)
        claims = {"company": tenant, "sub": user, "iss": ISSUER, "aud": AUDIENCE, "exp": FAR_AWAY}
        token = jwt.encode(claims, self._key, "ES256", headers={"kid": str(self._turns)})
        return self._keep(Credential(TokenKind.PUBLISHED, tenant, user, token))

    def _opaque(self) -> Credential:
        tenant, user = self._chance.choice(TENANTS), self._chance.choice(USERS)
        return self._keep(Credential(TokenKind.OPAQUE, tenant, user, f"opaque-{self._chance.randrange(10**12)}"))

    def _keep(self, made: Credential) -> Credential:
        self._known[made.authorization] = made
        return made


class ServiceConnection(HeadConnection):
    """One connection to them: the keys at /keys, and at any other path whose the credential is."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    def asked(self, head: str) -> None:
        self.write(self._answer(head))

    def _answer(self, head: str) -> bytes:
        start, *lines = head.split("\r\n")
        if start.startswith("GET /keys "):
            body = self._services.key_set()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        who = self._services.whose(fields_of(lines).get("authorization", ""))
        if who is None or who.kind is not TokenKind.OPAQUE:
            return b"HTTP/1.1 401 Unknown\r\nContent-Length: 0\r\n\r\n"
        return f"HTTP/1.1 204 Known\r\nX-Team: {who.tenant}\r\n\r\n".encode()
