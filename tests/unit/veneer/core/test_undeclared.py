"""Responses that differ although neither Vary nor the key says by what."""

from __future__ import annotations

import pytest

from veneer.core.fields import Fields
from veneer.core.rules import CacheRules, KeyRules
from veneer.core.undeclared import Undeclared, undeclared

HTML, JSON = ("Content-Type", "text/html; charset=utf-8"), ("Content-Type", "application/json")
EN, FR = ("Content-Language", "en"), ("Content-Language", "FR")
GZIP = ("Content-Encoding", "gzip")


@pytest.mark.parametrize(
    ("stored", "came", "found"),
    [
        ([HTML], [JSON], Undeclared("Accept", "text/html", "application/json")),
        ([EN], [FR], Undeclared("Accept-Language", "en", "fr")),
        ([GZIP], [], Undeclared("Accept-Encoding", "gzip", "identity")),
        ([HTML, EN], [JSON, FR], Undeclared("Accept", "text/html", "application/json")),
        ([HTML], [JSON, ("Vary", "Cookie")], Undeclared("Accept", "text/html", "application/json")),
        ([HTML], [("Content-Type", "Text/HTML")], None),
        ([HTML], [], None),
        ([EN], [], None),
        ([], [], None),
        ([HTML], [JSON, ("Vary", "Accept")], None),
        ([HTML, ("Vary", "accept, origin")], [JSON], None),
        ([HTML], [JSON, ("Vary", "*")], None),
        ([EN], [FR, ("Vary", "Accept-Language")], None),
        ([HTML, EN], [JSON, FR, ("Vary", "Accept")], Undeclared("Accept-Language", "en", "fr")),
    ],
)
def test_what_tells_two_responses_apart(
    stored: list[tuple[str, str]], came: list[tuple[str, str]], found: Undeclared | None
) -> None:
    assert undeclared(Fields(stored), Fields(came), CacheRules(), coded_here=False) == found


def test_what_the_key_holds_is_declared() -> None:
    rules = CacheRules(key=KeyRules(headers=("accept",)))
    assert undeclared(Fields([HTML]), Fields([JSON]), rules, coded_here=False) is None


def test_a_backend_that_is_never_asked_for_codings_cannot_choose_by_them() -> None:
    assert undeclared(Fields([GZIP]), Fields([]), CacheRules(), coded_here=True) is None
