"""Tokens."""

from __future__ import annotations

import datetime as dt

import jwt
import pytest

from etter.errors import AuthenticationError
from etter.web.auth import TokenReader, issue_token

SECRET = "a secret that is long enough for HS256"
READER = TokenReader(SECRET)
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def token(hours: float = 1) -> str:
    return issue_token(SECRET, user_id=42, company_id=7, role="member", expires_at=NOW + dt.timedelta(hours=hours))


def test_a_token_names_its_caller() -> None:
    caller = READER.identify(f"Bearer {token()}", NOW)
    assert (caller.user_id, caller.company_id, caller.company_scope, caller.is_admin) == (42, 7, 7, False)


@pytest.mark.parametrize("claims", [{}, {"sub": "42", "exp": 1}, {"sub": "x", "company": 1, "exp": 2**33}])
def test_a_token_must_say_all(claims: dict[str, object]) -> None:
    with pytest.raises(AuthenticationError):
        READER.identify(f"Bearer {jwt.encode(claims, SECRET)}", NOW)


def test_tokens_without_a_signature_are_refused() -> None:
    claims = {"sub": "42", "company": 7, "exp": 2**33}
    with pytest.raises(AuthenticationError):
        READER.identify(f"Bearer {jwt.encode(claims, '', algorithm='none')}", NOW)


def test_expiry_follows_the_given_clock() -> None:
    assert READER.identify(f"bearer {token()}", NOW + dt.timedelta(minutes=59)).user_id == 42
    with pytest.raises(AuthenticationError, match="expired"):
        READER.identify(f"Bearer {token()}", NOW + dt.timedelta(hours=1))
