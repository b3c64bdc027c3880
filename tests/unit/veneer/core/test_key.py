"""The cache key with the query in it, No-Vary-Search, and the URI of an entry."""

from dataclasses import replace

import pytest

from tests.support.exchanges import RULES, dated, entry_of, request
from veneer.core.fields import Fields, Pair
from veneer.core.key import (
    NoVarySearch,
    cache_key,
    key_frame,
    key_within,
    no_vary_search,
    normalised_query,
    path_key,
    query_digest,
    query_matches,
    uri,
)
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules, KeyRules

EMPTY = Fields()


def test_head_and_post_share_the_key_of_get() -> None:
    keys = {cache_key(request(method=method), RULES) for method in ("GET", "HEAD", "POST")}
    assert len(keys) == 1
    assert cache_key(request(method="QUERY"), RULES, body_digest="d") not in keys


@pytest.mark.parametrize(
    "other",
    [
        RequestHead("GET", "/a", "", "site", EMPTY),
        RequestHead("GET", "/a", "b", "site", EMPTY),
        RequestHead("GET", "/a1:-", None, "site", EMPTY),
        RequestHead("GET", "/a", None, "site2", EMPTY),
        RequestHead("GET", "/a", None, "site", EMPTY, "https"),
        RequestHead("GET", "/", None, "site/a", EMPTY),
    ],
)
def test_different_resources_have_different_keys(other: RequestHead) -> None:
    assert cache_key(other, RULES) != cache_key(request(), RULES)


def test_a_key_is_the_target_s_within_the_frame_of_all_else() -> None:
    rules = CacheRules(key=KeyRules(headers=("x",)))
    asked = RequestHead("QUERY", "/a", "b", "site", Fields([("X", "y"), ("X-Forwarded-Proto", "https")]))
    frame = key_frame(RequestHead("QUERY", "/other", None, "site", asked.fields), rules)
    assert key_within(frame, "/a", "b", "d") == cache_key(asked, rules, body_digest="d")


def test_fields_enter_normalised_and_absent_is_not_empty() -> None:
    rules = CacheRules(key=KeyRules(headers=("accept-language", "x")))
    a = cache_key(request(("Accept-Language", "de, EN")), rules)
    assert a == cache_key(request(("accept-language", "en,de")), rules)
    assert a != cache_key(request(("Accept-Language", "de")), rules)
    assert cache_key(request(), rules) != cache_key(request(("X", "")), rules)


def test_what_a_proxy_tells_of_the_client_s_request_is_keyed() -> None:
    keys = {
        cache_key(request(*fields), RULES)
        for fields in (
            [],
            [("X-Forwarded-Proto", "https")],
            [("X-Forwarded-Host", "https")],
            [("X-Forwarded-For", "x")],
        )
    }
    assert len(keys) == 3


def test_uri_is_authority_and_normal_target() -> None:
    assert uri(request(query="b=%7e"), KeyRules()) == "site/a?b=~"
    assert uri(request(query="utm=1"), KeyRules(query_except=frozenset({"utm"}))) == "site/a"
    assert path_key(request(query="x")) == path_key(request(query="y"))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("page=1", None),
        ("a=b&page=1", "a=b"),
        ("page=1&lang=de%20at", None),
        ("page=%31", None),
        ("page=2", "page=2"),
        ("page=1&page=2", "page=1&page=2"),
        ("page=1&page=1", "page=1&page=1"),
        ("page", "page"),
        ("page=1=1", "page=1=1"),
        ("Page=1", "Page=1"),
        ("page=1&empty=", None),
    ],
)
def test_what_says_the_default_counts_as_not_said(query: str, kept: str | None) -> None:
    rules = KeyRules(query_defaults=(("empty", ""), ("lang", "de at"), ("page", "1")))
    assert normalised_query(query, rules) == kept


def test_an_entry_covers_its_own_query_and_what_its_no_vary_search_equates() -> None:
    fresh = ("Cache-Control", "max-age=60")
    plain = entry_of(dated(fresh), request(query="a=1"))
    assert query_matches(plain, request(query="a=1"), RULES.key)
    assert not query_matches(plain, request(query="a=1&utm=2"), RULES.key)
    free = entry_of(dated(fresh, ("No-Vary-Search", 'params=("utm")')), request(query="utm=0&a=1"))
    assert query_matches(free, request(query="a=1&utm=2"), RULES.key)
    assert query_matches(free, request(query="a=1"), RULES.key)
    assert not query_matches(free, request(query="a=2&utm=0"), RULES.key)
    assert free.uri == "site/a?a=1"
    search = no_vary_search(free.fields)
    keys = {cache_key(request(query=query), RULES, search=search) for query in ("utm=0&a=1", "a=1", "a=1&utm=9")}
    assert len(keys) == 1


def digest(body: bytes, media_type: str = "application/json", **more: str) -> str:
    return query_digest(
        Fields([("Content-Type", media_type), *((n.replace("_", "-"), v) for n, v in more.items())]), body
    )


def test_what_was_stored_under_other_words_of_the_policy_has_another_key() -> None:
    under = replace(RULES, stored_under="x")
    assert cache_key(request(), under) != cache_key(request(), RULES)
    assert cache_key(request(), replace(RULES, stored_under="")) == cache_key(request(), RULES)


def test_queries_are_equal_up_to_json_whitespace() -> None:
    assert digest(b'{"a": [1, 2] ,\n "b c" : " x\\" : y " }') == digest(b'{"a":[1,2],"b c":" x\\" : y "}')
    assert digest(b'{"a":"x y"}') != digest(b'{"a":"xy"}')
    assert digest(b"[1 2]") != digest(b"[12]")
    assert digest(b'["\\\\", " "]') != digest(b'["\\\\", ""]')
    assert digest(b"[1, 2]", "text/plain") != digest(b"[1,2]", "text/plain")
    assert digest(b"[1]") == digest(b"[1]", "Application/JSON")
    assert digest(b"[1]") != digest(b"[1]", "application/x+json")
    assert digest(b"[ 1]", content_encoding="gzip") != digest(b"[1]", content_encoding="gzip")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([("Content-Language", "de")], [("Content-Language", "en")], False),
        ([("Content-Language", "DE, en")], [("content-language", "de,en")], True),
        ([("Content-Language", "de")], [], False),
        ([("Content-Type", "text/x; profile=A")], [("Content-Type", "text/x; profile=a")], False),
        ([("Content-Type", "Text/X;Profile=A")], [("Content-Type", "text/x ; profile=A")], True),
        ([("Content-Type", 'text/x; a="b c"')], [("Content-Type", 'text/x; a="bc"')], False),
    ],
)
def test_how_content_is_to_be_read_belongs_to_it(one: list[Pair], other: list[Pair], equal: bool) -> None:
    assert (query_digest(Fields(one), b"q") == query_digest(Fields(other), b"q")) is equal


def test_white_space_counts_in_what_is_no_json_in_utf_8() -> None:
    one, other = '{"q":"\u2200\u2020x"}'.encode("utf-16-le"), '{"q":"\u2200x"}'.encode("utf-16-le")
    assert digest(one) != digest(other)
    assert digest(b"{'q':'a  b'}") != digest(b"{'q':'a b'}")
    assert digest(b'{"q": "\xff" }') != digest(b'{"q":"\xff"}')
    assert digest(b"[" * 100_000) != digest(b"[ " * 100_000)


def test_only_json_s_own_white_space_is_insignificant() -> None:
    typed = Fields([("Content-Type", "application/json")])
    assert query_digest(typed, b'{"a":\t1 }\r\n') == query_digest(typed, b'{"a":1}')
    assert query_digest(typed, b'{"a":\x0c1}') != query_digest(typed, b'{"a":1}')
    assert query_digest(typed, b"[1,\x0b2]") != query_digest(typed, b"[1,2]")


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
