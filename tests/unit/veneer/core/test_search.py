"""Queries in the key, and No-Vary-Search."""

import pytest

from veneer.core.fields import Fields
from veneer.core.rules import KeyRules
from veneer.core.search import NoVarySearch, no_vary_search, normalised_query


def header(value: str) -> NoVarySearch | None:
    return no_vary_search(Fields([("No-Vary-Search", value)]))


@pytest.mark.parametrize(
    ("query", "rules", "expected"),
    [
        (None, KeyRules(), None),
        ("", KeyRules(), ""),
        ("b=%7e&a", KeyRules(), "b=~&a"),
        ("b&a=1&a=0", KeyRules(query_sort=True), "a=1&a=0&b"),
        ("c=3&b=2&a=1", KeyRules(query_only=frozenset({"a", "c"})), "a=1&c=3"),
        ("utm=1", KeyRules(query_only=frozenset({"a"})), None),
        ("a=1&utm=2&b=3", KeyRules(query_except=frozenset({"utm"})), "a=1&b=3"),
        ("%75tm=1&a", KeyRules(query_except=frozenset({"utm"})), "a"),
        ("x+y=1&a", KeyRules(query_except=frozenset({"x y"})), "a"),
    ],
)
def test_rules_choose_and_sort(query: str | None, rules: KeyRules, expected: str | None) -> None:
    assert normalised_query(query, rules) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("params", NoVarySearch(except_all=True)),
        ('params, except=("a" "b+c")', NoVarySearch(except_all=True, names=frozenset({"a", "b c"}))),
        ('params=("utm" "%61")', NoVarySearch(names=frozenset({"utm", "a"}))),
        ("key-order", NoVarySearch(key_order=True)),
        ("params=?0, key-order=?1", NoVarySearch(key_order=True)),
        ("", None),
        ("params=?0", None),
        ('params=("a"), except=("b")', None),
        ('except=("b")', None),
        ("params, except=b", None),
        ("params=(a)", None),
        ("key-order=1", None),
        ("params=7", None),
        ("Params", None),
    ],
)
def test_no_vary_search_is_read_strictly(value: str, expected: NoVarySearch | None) -> None:
    assert header(value) == expected


def test_no_vary_search_absent() -> None:
    assert no_vary_search(Fields()) is None


def test_no_vary_search_reduces_the_query() -> None:
    for value, query, expected in (
        ("params", "a=1&b=2", None),
        ('params, except=("a")', "b=2&a=1", "a=1"),
        ('params=("utm")', "b=1&utm=2&a", "b=1&a"),
        ("key-order", "b=1&a=2&b=0", "a=2&b=1&b=0"),
    ):
        assert normalised_query(query, KeyRules(), header(value)) == expected
