"""Who asks: users of tenants, their tokens, and tokens that prove nothing."""

from __future__ import annotations

import base64
import json
import random
import string
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import jwt

TENANTS = string.ascii_lowercase[:6]
"""A tenant is a letter, and its pages are made of that letter: a byte of another tenant shows at once."""
USERS = string.digits
SECRETS = ("the-first-secret-of-this-issuer-1", "the-second-secret-of-this-issuer2")
"""The issuer signs with both; now and then the proxies are told another choice of them."""
FORGERS_SECRET = "what-somebody-guessed-who-has-none"
ISSUER, AUDIENCE = "https://issuer.example", "shop"
FAR_AWAY = 4_000_000_000
BRIEF_S = 3.0
"""How long the tokens last that end during a run."""


class TokenKind(Enum):
    """What is the matter with a token."""

    GOOD = "good"
    BRIEF = "brief"  # good, and ends soon
    REVOKED = "revoked"  # good, but the backend takes it no longer; nobody has told the proxy
    NONE = "none"
    EXPIRED = "expired"
    NOT_YET = "not yet"
    FORGED = "forged"
    TAMPERED = "tampered"
    UNSIGNED = "unsigned"
    OTHER_ISSUER = "other issuer"
    OTHER_AUDIENCE = "other audience"
    GARBAGE = "garbage"
    PUBLISHED = "published"  # good by a key that its issuer publishes, until that is taken back
    OPAQUE = "opaque"  # a service says whose it is, until it is revoked


HARMLESS = (TokenKind.GOOD, TokenKind.BRIEF, TokenKind.REVOKED, TokenKind.PUBLISHED, TokenKind.OPAQUE)
"""Those whose bearer may see what is his tenant's, as long as they last."""

MADE_HERE = tuple(kind for kind in TokenKind if kind not in (TokenKind.PUBLISHED, TokenKind.OPAQUE))
"""Kinds of tokens by a secret, and of what are none."""


@dataclass(slots=True)
class Credential:
    """A token as it is sent, whose it says that it is, and until when it is good (seconds since the epoch).

    When one ends that is taken back, is known only then.
    """

    kind: TokenKind
    tenant: str
    user: str
    token: str
    ends: float = FAR_AWAY

    @property
    def authorization(self) -> str:
        """The field's value."""
        return f"Bearer {self.token}"

    @property
    def line(self) -> str:
        """The field line, empty where there is no token."""
        return f"Authorization: {self.authorization}\r\n" if self.token else ""


def credential(kind: TokenKind, chance: random.Random, now: float) -> Credential:
    """One of that kind, of some user; `now` is in seconds since the epoch."""
    tenant, user, secret = chance.choice(TENANTS), chance.choice(USERS), chance.choice(SECRETS)
    ends = {TokenKind.EXPIRED: now - 1, TokenKind.BRIEF: now + BRIEF_S}.get(kind, FAR_AWAY)
    claims: dict[str, object] = {"company": tenant, "sub": user, "iss": ISSUER, "aud": AUDIENCE, "exp": ends}
    claims["jti"] = str(chance.randrange(10**9) * 2 + (kind is TokenKind.REVOKED))
    match kind:
        case TokenKind.NONE:
            return Credential(kind, tenant, user, "")
        case TokenKind.GARBAGE:
            return Credential(kind, tenant, user, chance.choice(["a", "a.b.c", ".", "e30.e30.e30"]))
        case TokenKind.NOT_YET:
            claims["nbf"] = FAR_AWAY - 1
        case TokenKind.FORGED:
            secret = FORGERS_SECRET
        case TokenKind.OTHER_ISSUER:
            claims["iss"] = "https://other.example"
        case TokenKind.OTHER_AUDIENCE:
            claims["aud"] = "elsewhere"
    token = jwt.encode(claims, secret, algorithm="HS256")
    if kind is TokenKind.TAMPERED:
        header, _, signature = token.split(".")
        token = f"{header}.{_part({**claims, 'company': chance.choice(TENANTS)})}.{signature[::-1]}"
    elif kind is TokenKind.UNSIGNED:
        token = f"{_part({'alg': 'none'})}.{_part(claims)}."
    return Credential(kind, tenant, user, token, ends)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Given(Protocol):
    """Credentials of those who may take them back: which they are changes."""

    published: list[Credential]
    opaque: list[Credential]


class Crowd:
    """All who ask. Brief tokens are made anew as they end; the ones that have ended go on being sent.

    `given` has more credentials, by those who give them out and take them back.
    """

    def __init__(self, chance: random.Random, now: float, given: Given) -> None:
        self._chance = chance
        self._given = given
        self._good = [credential(TokenKind.GOOD, chance, now) for _ in range(200)]
        self._others = [credential(kind, chance, now) for kind in MADE_HERE for _ in range(8)]
        self._brief = [credential(TokenKind.BRIEF, chance, now) for _ in range(10)]

    def one(self, now: float) -> Credential:
        """Somebody: mostly with a good token."""
        draw = self._chance.random()
        if draw < 0.6:
            return self._chance.choice(self._good)
        if draw < 0.78:
            return self._chance.choice(self._others)
        if draw < 0.92:
            return self._chance.choice(self._given.published if draw < 0.85 else self._given.opaque)
        place = self._chance.randrange(len(self._brief))
        if self._brief[place].ends < now - BRIEF_S:
            self._brief[place] = credential(TokenKind.BRIEF, self._chance, now)
        return self._brief[place]
