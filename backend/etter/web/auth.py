"""Bearer tokens (RFC 6750): signed JSON web tokens with the claims `sub` (user), `company` and `role`.

A company pass is a second, weaker credential: whoever holds it belongs to the company. It exists for shared caches that
do not understand tokens: answers that concern a whole company vary on it. Who has a cache that does needs none.
"""

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import jwt
import msgspec

from etter.errors import AuthenticationError

PASS_HEADER = "Etter-Company-Pass"  # noqa: S105 - a field name
PASS_SECONDS = 3600
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
    """Who asks. `platform` callers belong to Etter itself and see every company."""

    user_id: int
    company_id: int
    role: Role
    expires_at: dt.datetime
    holds_pass: bool

    @property
    def company_scope(self) -> int | None:
        """The only company whose rows the caller may see; None means all."""
        return None if self.role == "platform" else self.company_id


def issue_token(secret: str, *, user_id: int, company_id: int, role: Role, expires_at: dt.datetime) -> str:
    """Sign a token."""
    claims = Claims(sub=str(user_id), company=company_id, exp=int(expires_at.timestamp()), role=role)
    return jwt.encode(msgspec.to_builtins(claims), secret, algorithm=_ALGORITHM)


@dataclass(frozen=True, slots=True)
class CompanyPass:
    """A pass and the moment from which it no longer holds."""

    text: str
    expires_at: dt.datetime


def issue_pass(secret: str, company_id: int, now: dt.datetime) -> CompanyPass:
    """Sign the company's pass for the hour that `now` is in; all its members get the same one."""
    hour = (int(now.timestamp()) + _offset_seconds(company_id)) // PASS_SECONDS
    digest = hmac.new(secret.encode(), f"company-pass:{company_id}:{hour}".encode(), hashlib.sha256)
    # It holds for its hour and the next one: nobody is cut off at the stroke of the hour.
    end = (hour + 2) * PASS_SECONDS - _offset_seconds(company_id)
    return CompanyPass(f"{company_id}.{hour}.{digest.hexdigest()[:40]}", dt.datetime.fromtimestamp(end, dt.UTC))


def _offset_seconds(company_id: int) -> int:
    # Hours begin at another moment for each company, so that shared copies do not all lose their key at once.
    return company_id * 611 % PASS_SECONDS


class TokenReader:
    """Tells who asks, by tokens and passes that one secret signs.

    A signature is checked once: the claims of the latest `kept` good tokens are remembered, expiry is looked at each
    time.
    """

    def __init__(self, secret: str, kept: int = 4096) -> None:
        self._secret = secret
        self._claims = lru_cache(kept)(partial(_decode, secret))

    def identify(self, authorization: str | None, company_pass: str | None, now: dt.datetime) -> Caller:
        """Check the token, and the pass if one came; raise AuthenticationError when either does not hold."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            msg = "A bearer token is required: Authorization: Bearer <token>"
            raise AuthenticationError(msg)
        claims = self._claims(token.strip())
        expires_at = dt.datetime.fromtimestamp(claims.exp, dt.UTC)
        if expires_at <= now:
            msg = "The token has expired"
            raise AuthenticationError(msg)
        if company_pass is not None and not _pass_holds(self._secret, company_pass, claims.company, now):
            msg = "The company pass does not hold; POST /api/etter/auth/check_auth gives a new one"
            raise AuthenticationError(msg)
        return Caller(int(claims.sub), claims.company, claims.role, expires_at, company_pass is not None)


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


def _pass_holds(secret: str, company_pass: str, company_id: int, now: dt.datetime) -> bool:
    moments = (now, now - dt.timedelta(seconds=PASS_SECONDS))
    given = company_pass.encode("utf-8", "surrogateescape")
    return any(hmac.compare_digest(given, issue_pass(secret, company_id, at).text.encode()) for at in moments)
