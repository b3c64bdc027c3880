"""Variants: RFC 9111 section 4.1."""

import pytest

from tests.support.exchanges import RULES, dated, entry_of, request
from veneer.core.fields import Fields, Pair
from veneer.core.rules import CacheRules
from veneer.core.vary import describe, matches, normalise, reduced_accept_encoding, vary_names

FRESH: Pair = ("Cache-Control", "max-age=60")
CODINGS = RULES.codings


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], ()),
        ([""], ()),
        (["B, a", "A"], ("a", "b")),
        (["*"], None),
        (["a", "*"], None),
        ([", *"], None),
    ],
)
def test_names(lines: list[str], names: tuple[str, ...] | None) -> None:
    assert vary_names(Fields(("Vary", line) for line in lines)) == names


@pytest.mark.parametrize(
    ("name", "value", "normal"),
    [
        ("foo", None, None),
        ("foo", "", ""),
        ("foo", " 1 ,\t2", "1,2"),
        ("foo", "B a", "B a"),
        ("foo", ' "a , b", c ', '"a , b", c'),
        ("accept-language", "EN ; q=0.5, de", "de,en;q=0.5"),
        ("accept-language", "de,en;q=0.50", "de,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br", "br, gzip"),
        ("accept-encoding", "deflate", "identity"),
        ("accept-encoding", "", "identity"),
        ("accept-encoding", "gzip, dcz, br, dcb", "br, gzip, dcb, dcz"),
        ("accept-encoding", "gzip;q=1, dcb;q=0, dcz;q=0.5", "gzip, dcz"),
        ("accept-encoding", "*", ", ".join(CODINGS)),
    ],
)
def test_values_of_equal_meaning_are_equal(name: str, value: str | None, normal: str | None) -> None:
    assert normalise(name, value, CODINGS) == normal


@pytest.mark.parametrize(
    ("value", "reduced"),
    [
        ("gzip;q=0, br", "br"),
        ("*", ", ".join(CODINGS)),
        ("*, br;q=0", ", ".join(name for name in CODINGS if name != "br")),
        ("GZIP;q=0.001", "gzip"),
        ("x-gzip", "gzip"),
        ("identity;q=0, gzip", "gzip, identity;q=0"),
        ("gzip, *;q=0", "gzip, identity;q=0"),
        ("gzip;q=2x", "identity"),
    ],
)
def test_accept_encoding_is_reduced_to_our_codings(value: str, reduced: str) -> None:
    assert reduced_accept_encoding(value, CODINGS) == reduced


def test_only_named_fields_count_and_absent_is_not_empty() -> None:
    entry = entry_of(dated(FRESH, ("Vary", "Foo, Bar")), request(("Foo", "1"), ("Other", "x")))
    assert entry.vary == (("bar", None), ("foo", "1"))
    assert matches(entry, request(("foo", "1"), ("Other", "y")), RULES)
    assert not matches(entry, request(("foo", "1"), ("Bar", "")), RULES)
    assert not matches(entry, request(("foo", "2")), RULES)
    assert not matches(entry, request(), RULES)


def test_star_describes_no_variant() -> None:
    assert describe(request(), Fields([("Vary", "*")]), RULES) is None


def test_language_from_content_is_an_option() -> None:
    head = dated(FRESH, ("Vary", "Accept-Language"), ("Content-Language", "de"))
    entry = entry_of(head, request(("Accept-Language", "en, de")))
    option = CacheRules(language_from_content=True)
    wanted = request(("Accept-Language", "fr;q=0.5, de;q=1.0"))
    assert not matches(entry, wanted, RULES)
    assert matches(entry, wanted, option)
    for value in ("fr, de", "fr, de;q=0.5", "de;q=0", ""):
        assert not matches(entry, request(("Accept-Language", value)), option)
    assert not matches(entry, request(), option)
