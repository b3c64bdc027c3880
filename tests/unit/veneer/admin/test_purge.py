from __future__ import annotations

import json

import pytest

from veneer.admin.purge import PurgeError, dry_run, invalidation_of, parse_purge
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.policy.load import parse_policy

POLICY = parse_policy(
    """
version: 1
routes:
  - name: list
    match: {path: /list}
    cache: {key: {query: {only: [page, q]}}}
""",
    "p",
)


def event(**body: object) -> Invalidation:
    return invalidation_of(parse_purge(json.dumps(body).encode()), POLICY)


def test_tags_urls_and_prefixes_become_one_event() -> None:
    made = event(tags=["users:42", "users:*", "users:42"], urls=["/a"], prefixes=["/api/"], soft=True)
    assert made == Invalidation(
        tags=("users:42", "users:*"), uris=("/a",), uri_prefixes=("/api/",), strength=InvalidationMode.SOFT
    )


def test_a_tag_beyond_ascii_is_named_as_fields_carry_it_and_as_paths_fill_it() -> None:
    # a Surrogate-Key comes as bytes and is read as Latin-1; "city:{name}" percent-encodes what is not visible ASCII
    carried = "city:münchen".encode().decode("latin-1")
    assert event(tags=["city:münchen"]).tags == (carried, "city:m%C3%BCnchen")
    assert event(tags=["münchen:*"]).tags == ("münchen:*".encode().decode("latin-1"), "m%C3%BCnchen:*")


@pytest.mark.parametrize("body", [{"everything": True}, {"tags": ["*"]}])
def test_everything(body: dict[str, object]) -> None:
    assert event(**body).everything


@pytest.mark.parametrize(
    ("url", "uris"),
    [
        ("/a?x=1", ("/a?x=1", "/a")),
        ("http://Example.COM/a", ("example.com/a",)),
        ("http://example.com", ("example.com/",)),
        ("http://example.com?x", ("example.com/?x", "example.com/")),
        ("http://example.com:80/a", ("example.com/a",)),
        ("https://example.com:443/a", ("example.com/a",)),
        ("https://example.com:80/a", ("example.com:80/a",)),
        ("http://[::1]:8080/a", ("[::1]:8080/a",)),
        ("/%7euser/%c3%a4", ("/~user/%C3%A4",)),
        ("/list?utm=1&q=b&page=2", ("/list?page=2&q=b", "/list?utm=1&q=b&page=2", "/list")),
    ],
)
def test_urls_are_named_as_entries_are_filed(url: str, uris: tuple[str, ...]) -> None:
    assert event(urls=[url]).uris == uris


@pytest.mark.parametrize(
    ("url", "tags"),
    [
        ("/a?x=1", ("no-vary-search=/a",)),
        ("http://h:81/a?x=1", ("no-vary-search=h%3A81/a",)),
        ("/a", ()),
    ],
)
def test_a_url_with_a_query_reaches_what_answers_several(url: str, tags: tuple[str, ...]) -> None:
    assert event(urls=[url]).tags == tags


@pytest.mark.parametrize(
    ("prefix", "made"), [("/api", "/api"), ("http://Example.com:80/%7ea", "example.com/~a"), ("http://h", "h/")]
)
def test_prefixes(prefix: str, made: str) -> None:
    assert event(prefixes=[prefix]).uri_prefixes == (made,)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "right is"),
        (b"{", "right is"),
        (b"[]", "right is"),
        (b'{"tag": ["a"]}', "tag"),
        (b'{"tags": "a"}', r"\$.tags"),
        (b'{"tags": [1]}', r"\$.tags\[0\]"),
        (b'{"tags": [""]}', r"\$.tags\[0\]"),
        (b'{"soft": 1, "tags": ["a"]}', r"\$.soft"),
        (b'{"tags": ["a"], "tags_": []}', "tags_"),
        (json.dumps({"tags": ["a"] * 1_001}).encode(), r"\$.tags"),
        (b"{}", "nothing to purge"),
        (b'{"soft": true}', "nothing to purge"),
        (b'{"tags": ["us*rs"]}', "after a colon"),
        (b'{"tags": ["users*"]}', "after a colon"),
        (b'{"tags": ["a b"]}', "no space"),
        (b'{"tags": ["a,b"]}', "no comma"),
        (b'{"tags": ["a\\nb"]}', "printable"),
        (b'{"urls": ["a/b"]}', "http://host/path"),
        (b'{"urls": ["ftp://h/a"]}', "http://host/path"),
        (b'{"urls": ["http://"]}', "http://host/path"),
        (b'{"urls": ["http://u@h/"]}', "http://host/path"),
        (b'{"urls": ["/a#b"]}', "without"),
        (b'{"urls": ["/a b"]}', "without"),
        (b'{"urls": ["/\\u00e4"]}', "ASCII"),
        (b'{"urls": ["/a/../b"]}', "never stored"),
        (b'{"urls": ["/%zz"]}', "never stored"),
        (b'{"prefixes": ["/%z"]}', "hex digits"),
    ],
)
def test_nonsense_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(PurgeError, match=says):
        invalidation_of(parse_purge(body), POLICY)


def entry(uri: str, *tags: str) -> Entry:
    return Entry(200, "OK", Fields(), b"x" * 10, 0.0, 0.0, uri, Position("e", 1), tags=tags)


ENTRIES = (entry("h/users/1", "users:1"), entry("h/users/2", "users:2"), entry("other/list?page=1", "lists"))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"tags": ["users:*"]}, 2),
        ({"tags": ["users:2", "lists"]}, 2),
        ({"tags": ["users"]}, 0),
        ({"urls": ["/users/1"]}, 1),
        ({"urls": ["http://other/users/1"]}, 0),
        ({"urls": ["/list?utm=2&page=1"]}, 1),
        ({"prefixes": ["/users/"]}, 2),
        ({"prefixes": ["http://other/"]}, 1),
        ({"everything": True}, 3),
    ],
)
async def test_a_dry_run_counts_what_memory_holds(body: dict[str, object], count: int) -> None:
    seen = await dry_run(event(**body), ENTRIES)
    assert (seen.entries, seen.looked_at, seen.complete) == (count, 3, True)
    assert seen.bytes >= 10 * count


async def test_a_dry_run_shows_what_a_tag_reaches_and_what_looks_like_it() -> None:
    def stored(*tags: str) -> Entry:
        return Entry(200, "OK", Fields(), b"", 0.0, 0.0, uri="h/a", born=Position("e", 1), tags=tags)

    entries = [stored("users:42", "list"), stored("user:42"), stored("user:43", "list"), stored("orders:1")]
    seen = await dry_run(event(tags=["users:*"]), entries)
    assert (seen.entries, seen.tags) == (1, ("list", "users:42"))
    assert seen.spared == ("user:42", "user:43"), "not below users, and easily taken for it"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"tags": ["user:7", "users:*"]}, "tags user:7, users:*"),
        ({"urls": ["/a"], "prefixes": ["/b/"], "soft": True}, "URLs /a; URLs that begin with /b/, softly"),
        ({"everything": True}, "everything"),
        ({"tags": ["a", "b", "c", "d", "e", "f", "g"]}, "tags a, b, c, d, e and 2 more"),
        ({"tags": ["a\nb"]}, "tags a\\nb"),
    ],
)
def test_the_log_is_told_in_words_what_was_asked_for(body: dict[str, object], told: str) -> None:
    assert str(parse_purge(json.dumps(body).encode())) == told
