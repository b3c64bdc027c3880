"""Claims to values, proofs to scopes: what decides who shares with whom."""

from __future__ import annotations

import math
from typing import Any

import pytest

from veneer.core.fields import Fields
from veneer.core.identity import (
    Proof,
    TokenRules,
    Window,
    claimed_values,
    for_templates,
    is_accepted,
    known_at,
    pseudonym,
    scope_of,
    window_claimed,
    window_of,
    within,
)
from veneer.core.key import cache_key
from veneer.core.messages import RequestHead
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, CookieRules, Scope
from veneer.core.sharing import passes, shares_authorization, withheld

A = Proof((("tenant", "s:a"),), "api", authorization=True)
B = Proof((("tenant", "s:b"),), "api", authorization=True)


def test_a_scope_tells_names_values_and_definitions_apart() -> None:
    scopes = [
        scope_of([A], ("tenant",), 0),
        scope_of([B], ("tenant",), 0),
        scope_of([Proof((("user", "s:a"),), "api")], ("user",), 0),
        scope_of([Proof((("tenant", "i:1"),), "api")], ("tenant",), 0),
        scope_of([Proof((("tenant", "s:1"),), "api")], ("tenant",), 0),
        scope_of([Proof((("tenant", "s:a"),), "another")], ("tenant",), 0),
        scope_of([Proof((("tenant", "s:a"), ("user", "s:b")), "api")], ("tenant", "user"), 0),
        scope_of([Proof((("tenant", "s:ab"), ("user", "s:")), "api")], ("tenant", "user"), 0),
    ]
    assert len({scope.name for scope in scopes if scope is not None}) == len(scopes)


def test_who_proves_the_same_has_the_same_scope_whoever_it_is() -> None:
    other = Proof((("tenant", "s:a"), ("user", "s:x")), "api", Window(0, 10), authorization=True)
    assert scope_of([other], ("tenant",), 5) == scope_of([A], ("tenant",), 5)


@pytest.mark.parametrize("now", [-1, 10, 11])
def test_a_proof_outside_of_its_window_proves_nothing(now: float) -> None:
    brief = Proof(A.values, "api", Window(0, 10))
    assert scope_of([brief], ("tenant",), now) is None
    assert known_at([brief], now) == {}


def test_every_name_has_to_be_proven() -> None:
    assert scope_of([A], ("tenant", "user"), 0) is None
    assert scope_of([], ("tenant",), 0) is None
    assert scope_of([A], (), 0) is None


def test_a_scope_knows_which_credentials_prove_it() -> None:
    session = Proof((("session", "d:1"),), "login", cookies=frozenset({"sid"}))
    scope = scope_of([A, session], ("tenant", "session"), 0)
    assert scope is not None
    assert (scope.authorization, scope.cookies) == (True, frozenset({"sid"}))


def test_the_window_of_several_is_where_all_hold() -> None:
    assert window_of([Proof((), "", Window(0, 10)), Proof((), "", Window(5, 20))]) == Window(5, 10)
    assert window_of([]) == Window(-math.inf, math.inf)


def asking(*fields: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", "/a", None, "h", Fields(fields))


BY_TENANT = CacheRules(shared_by=("tenant",))
AS_A, AS_B = within(BY_TENANT, Scope("a", authorization=True)), within(BY_TENANT, Scope("b", authorization=True))


def test_key_and_permission_are_one() -> None:
    """There are no rules that permit without the scope in the key, and none with one key for two scopes."""
    bearer = asking(("Authorization", "Bearer x"))
    assert passes(bearer.fields, BY_TENANT) is Reason.NO_IDENTITY
    assert not shares_authorization(BY_TENANT)
    assert passes(bearer.fields, AS_A) is None
    assert shares_authorization(AS_A)
    assert len({cache_key(bearer, rules) for rules in (BY_TENANT, AS_A, AS_B)}) == 3


def test_another_credential_beside_the_proof_passes_the_cache() -> None:
    both = asking(("Authorization", "Bearer x"), ("Cookie", "sid=1")).fields
    assert passes(both, AS_A) is Reason.COOKIE
    session = within(BY_TENANT, Scope("s", cookies=frozenset({"sid"})))
    assert passes(both, session) is Reason.AUTHORIZATION
    assert passes(Fields([("Cookie", "sid=1; other=2")]), session) is Reason.COOKIE
    assert withheld(Fields([("Cookie", "sid=1")]), session) is None
    ignoring = CacheRules(shared_by=("tenant",), cookies=CookieRules(ignored=("sid",)), scope=AS_A.scope)
    assert passes(both, ignoring) is None


def test_values_are_texts_and_whole_numbers() -> None:
    named = tuple((name, name) for name in "abcdefgh")
    claims: dict[str, Any] = {
        "a": "x", "b": 7, "c": "", "d": True, "e": None, "f": ["x"], "g": 1.5, "h": "x" * 257
    }  # fmt: skip
    assert claimed_values(claims, TokenRules(named)) == (("a", "s:x"), ("b", "i:7"))
    assert claimed_values({"a": 2**65}, TokenRules(named)) == ()


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"iss": "me", "aud": "api"}, True),
        ({"iss": "me", "aud": ["x", "api"]}, True),
        ({"iss": "me", "aud": []}, False),
        ({"iss": "me", "aud": "apis"}, False),
        ({"iss": "me", "aud": [7]}, False),
        ({"iss": "me"}, False),
        ({"iss": "you", "aud": "api"}, False),
        ({"iss": ["me"], "aud": "api"}, False),
        ({"aud": "api"}, False),
    ],
)
def test_issuer_and_audience_have_to_be_named(claims: dict[str, object], accepted: bool) -> None:
    assert is_accepted(claims, TokenRules((), frozenset({"me"}), frozenset({"api"}))) is accepted


def test_a_token_for_somebody_is_not_for_who_says_nothing() -> None:
    """RFC 7519 section 4.1.3."""
    assert not is_accepted({"aud": "api"}, TokenRules(()))
    assert is_accepted({"iss": "anybody"}, TokenRules(()))


@pytest.mark.parametrize(
    ("claims", "window"),
    [
        ({}, Window()),
        ({"exp": 100}, Window(-math.inf, 105)),
        ({"exp": 100.5, "nbf": 50}, Window(45, 105.5)),
        ({"exp": "100"}, None),
        ({"exp": True}, None),
        ({"exp": None}, None),
        ({"exp": math.inf}, None),
        ({"nbf": math.nan}, None),
        ({"exp": 10**400}, None),
    ],
)
def test_dates_are_numbers(claims: dict[str, object], window: Window | None) -> None:
    assert window_claimed(claims, 5) == window


def test_values_in_templates_and_in_logs() -> None:
    assert for_templates({"tenant": "s:a/b:東"}) == {"identity.tenant": "a%2Fb%3A%E6%9D%B1"}
    assert pseudonym("tenant", "a") != pseudonym("tenant", "b") != pseudonym("user", "b")
