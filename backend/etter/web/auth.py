"""Bearer tokens (RFC 6750): signed JSON web tokens with the claims `sub` (user), `company` and `role`."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import jwt
import msgspec

from etter.errors import AuthenticationError

_ALGORITHM = "HS256"
Role = Literal["member", "platform"]


class Claims(msgspec.Struct, frozen=True):
    """What a token must say."""

    sub: str
    company: int
    exp: int
    role: Role = "member"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `platform` callers belong to Etter itself and see every company.

    `is_admin`: may administer the company. It is not in the token, for it can be taken away.
    """

    user_id: int
    company_id: int
    role: Role
    expires_at: dt.datetime
    is_admin: bool = False

    @property
    def company_scope(self) -> int | None:
        """The only company whose rows the caller may see; None means all."""
        return None if self.role == "platform" else self.company_id

    @property
    def may_administer(self) -> bool:
        """Whether the caller may change people and company, within what they see."""
        return self.is_admin or self.role == "platform"


def issue_token(secret: str, *, user_id: int, company_id: int, role: Role, expires_at: dt.datetime) -> str:
    """Sign a token."""
    claims = Claims(sub=str(user_id), company=company_id, exp=int(expires_at.timestamp()), role=role)
    return jwt.encode(msgspec.to_builtins(claims), secret, algorithm=_ALGORITHM)


class TokenReader:
    """Tells who asks, by tokens that one secret signs.

    A signature is checked once: the claims of the latest `kept` good tokens are remembered, expiry is looked at each
    time.
    """

    def __init__(self, secret: str, kept: int = 4096) -> None:
        self._claims = lru_cache(kept)(partial(_decode, secret))

    def identify(self, authorization: str | None, now: dt.datetime) -> Caller:
        """Check the token; raise AuthenticationError when it does not hold."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            msg = "A bearer token is required: Authorization: Bearer <token>"
            raise AuthenticationError(msg)
        claims = self._claims(token.strip())
        expires_at = dt.datetime.fromtimestamp(claims.exp, dt.UTC)
        if expires_at <= now:
            msg = "The token has expired"
            raise AuthenticationError(msg)
        return Caller(int(claims.sub), claims.company, claims.role, expires_at)


def _decode(secret: str, token: str) -> Claims:
    try:
        # Expiry is checked against the caller's clock, not the library's.
        payload = jwt.decode(
            token, secret, algorithms=[_ALGORITHM], options={"verify_exp": False, "require": ["exp", "sub"]}
        )
        claims = msgspec.convert(payload, Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        msg = "The token is not valid"
        raise AuthenticationError(msg) from None
    if not claims.sub.isdecimal() or len(claims.sub) > 10 or not 0 < claims.exp < 2**40:
        msg = "The token is not valid"
        raise AuthenticationError(msg)
    return claims
