"""Which credentials of a request are sent to who knows whose they are."""

from __future__ import annotations

import pytest

from veneer.core.fields import Fields
from veneer.identity.credentials import credentials_of
from veneer.policy.model_identity import CredentialNames

BOTH = CredentialNames(authorization=True, cookies=("sid", "device"))


def test_what_is_there_and_named_is_sent_and_nothing_else() -> None:
    fields = Fields([("Authorization", "Bearer x"), ("Cookie", "a=1; device=2; sid=3"), ("X-Other", "y")])
    found = credentials_of(BOTH, fields)
    assert found is not None
    assert found.fields.pairs == (("Authorization", "Bearer x"), ("Cookie", "sid=3; device=2"))
    assert (found.authorization, found.cookies) == (True, frozenset({"sid", "device"}))


def test_an_authorization_alone_is_known_by_its_bytes() -> None:
    found = credentials_of(BOTH, Fields([("Authorization", "Bearer x"), ("Cookie", "a=1")]))
    assert found is not None
    assert (found.raw, found.cookies) == (b"Bearer x", frozenset())


def test_different_credentials_are_told_apart() -> None:
    lines = [
        [("Authorization", "a")],
        [("Authorization", "a"), ("Cookie", "sid=1")],
        [("Cookie", "sid=1")],
        [("Cookie", "device=1")],
        [("Cookie", "sid=1; device=1")],
        [("Authorization", "sid=1")],
    ]
    found = [credentials_of(BOTH, Fields(pairs)) for pairs in lines]
    assert len({one.raw for one in found if one is not None}) == len(lines)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("Cookie", "a=1")],
        [("Authorization", "a"), ("Authorization", "b")],
        [("Cookie", "sid=1; sid=2")],
        [("Authorization", "a"), ("Cookie", "sid=1; sid=2")],
        [("Authorization", "a"), ("Cookie", "sid=1, b=2")],
    ],
)
def test_none_or_ones_that_may_be_read_in_several_ways_are_not_asked_about(pairs: list[tuple[str, str]]) -> None:
    assert credentials_of(BOTH, Fields(pairs)) is None


def test_a_cookie_is_not_looked_for_where_none_is_named() -> None:
    found = credentials_of(CredentialNames(authorization=True, cookies=()), Fields([("Authorization", "a")]))
    assert found is not None
    assert (
        credentials_of(CredentialNames(authorization=False, cookies=("sid",)), Fields([("Authorization", "a")])) is None
    )
