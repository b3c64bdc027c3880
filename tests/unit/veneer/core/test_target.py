"""The request target is understood in one way or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.exchanges import request
from veneer.core.outcome import Reason
from veneer.core.target import (
    KEEPABLE,
    Target,
    TargetRefusal,
    normal_target,
    parse_authority,
    parse_target,
    resolve,
    same_resource,
    within,
)


def parsed(raw: str, *hosts: str, method: str = "GET", slash: bool = False) -> Target | TargetRefusal:
    return parse_target(
        raw, hosts or ("Site:80",), method=method, kept=frozenset({Reason.TARGET_ENCODED_SLASH} if slash else ())
    )


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        ("/", "/", None),
        ("/a?", "/a", ""),
        ("/a?b=/../c", "/a", "b=/../c"),
        ("/%7Euser/%e4%2d", "/~user/%E4-", None),
        ("//a//b", "//a//b", None),
        ("/a?x=100%", "/a", "x=100%"),
        ("/\xe4?\xe4=%7e", "/%E4", "%E4=%7e"),
        ("/...a/.b", "/...a/.b", None),
    ],
)
def test_origin_form_is_normalised(raw: str, path: str, query: str | None) -> None:
    assert parsed(raw) == Target(path, query, "site", "http")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", Reason.TARGET_EMPTY),
        ("a", Reason.TARGET_FORM),
        ("site:443", Reason.TARGET_FORM),
        ("ftp://site/", Reason.TARGET_FORM),
        ("*", Reason.TARGET_FORM),
        ("/a#b", Reason.TARGET_FRAGMENT),
        ("/a b", Reason.TARGET_CONTROL),
        ("/a\x00", Reason.TARGET_CONTROL),
        ("/a\r\nX: y", Reason.TARGET_CONTROL),
        ("/a?\x7f", Reason.TARGET_CONTROL),
        ("/a%00", Reason.TARGET_CONTROL),
        ("/a%0d%0a", Reason.TARGET_CONTROL),
        ("/a%", Reason.TARGET_PERCENT),
        ("/a%4", Reason.TARGET_PERCENT),
        ("/a%zz", Reason.TARGET_PERCENT),
        ("/a\\b", Reason.TARGET_BACKSLASH),
        ("/a%5cb", Reason.TARGET_BACKSLASH),
        ("/a%2fb", Reason.TARGET_ENCODED_SLASH),
        ("/a/../b", Reason.TARGET_DOT_SEGMENT),
        ("/a/.", Reason.TARGET_DOT_SEGMENT),
        ("/%2e%2E/b", Reason.TARGET_DOT_SEGMENT),
        ("/a/..;x/b", Reason.TARGET_DOT_SEGMENT),
        ("/a/..%3bx/b", Reason.TARGET_DOT_SEGMENT),
    ],
)
def test_ambiguous_targets_are_refused(raw: str, reason: Reason) -> None:
    refusal = parsed(raw)
    assert isinstance(refusal, TargetRefusal)
    assert refusal.reason is reason


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"/", "/", None),
        (b"/a?", "/a", ""),
        (b"/a.b/.c?d=/../%7e\\?e", "/a.b/.c", "d=/../%7e\\?e"),
        (b"/%E4/%20", "/%E4/%20", None),
    ],
)
def test_a_target_in_normal_form_is_taken_apart(raw: bytes, path: str, query: str | None) -> None:
    assert normal_target(raw) == (path, query)


@given(st.text("/.%\\#?;a2Ee \x00\xe4", max_size=8).map(lambda text: text.encode("latin-1")))
def test_a_target_is_in_normal_form_where_parsing_leaves_it_as_it_is(raw: bytes) -> None:
    found, expected = parsed("/" + raw.decode("latin-1")), None
    if isinstance(found, Target) and f"{found.path}?{found.query}".removesuffix("?None").encode() == b"/" + raw:
        expected = found.path, found.query
    assert normal_target(b"/" + raw) == expected
    assert raw.startswith(b"/") or normal_target(raw) is None


def test_encoded_slashes_pass_where_allowed_but_not_as_dot_segments() -> None:
    assert parsed("/a%2fb", slash=True) == Target("/a%2Fb", None, "site", "http")
    assert parsed("/a%2f..%2fb", slash=True) == TargetRefusal(Reason.TARGET_DOT_SEGMENT)


def test_absolute_form_wins_over_host() -> None:
    assert parsed("HTTPS://Other:443/x?y", "site") == Target("/x", "y", "other", "http")
    assert parsed("http://other:8080", "site") == Target("/", None, "other:8080", "http")
    assert parsed("http://other?q", "site") == Target("/", "q", "other", "http")
    assert parsed("http://user@other/", "site") == TargetRefusal(Reason.HOST_INVALID)


def test_asterisk_is_for_options() -> None:
    assert parsed("*", method="OPTIONS") == Target("*", None, "site", "http")


def test_exactly_one_host() -> None:
    assert parsed("/", "a", "a") == TargetRefusal(Reason.HOST_REPEATED)
    assert parse_target("/", (), method="GET") == TargetRefusal(Reason.HOST_MISSING)
    assert parse_target("/", (), method="GET", version=(1, 0)) == Target("/", None, "", "http")


@pytest.mark.parametrize("host", ["a b", "a@b", "a/b", "a:", "a:x", "a:70000", "[::1", "[::1]x", "[g]", "a,b?", "\xe4"])
def test_bad_hosts(host: str) -> None:
    assert parsed("/", host) == TargetRefusal(Reason.HOST_INVALID)


def test_authorities_lose_the_default_port_only() -> None:
    assert [parse_authority(text, "http") for text in ("A:80", "a:0443", "[::1]:80", "[::1]:81")] == [
        "a",
        "a:443",
        "[::1]",
        "[::1]:81",
    ]


def test_same_resource_means_scheme_authority_and_target() -> None:
    asked = request(path="/a/b", query="q")
    assert same_resource(asked, "b?q")
    assert same_resource(asked, "http://SITE/a/b?q")
    assert not same_resource(asked, "https://site/a/b?q")
    assert not same_resource(asked, "/a/b")
    assert resolve(asked, "ftp://site/x") is None


@pytest.mark.parametrize(
    ("origin", "reference", "target"),
    [
        ("http://in:1", "http://in:1/a?b#c", "/a?b#c"),
        ("http://in:1", "HTTP://IN:1", "/"),
        ("http://in:1", "http://in:1?q", "/?q"),
        ("http://in:1/api", "http://in:1/api/x", "/x"),
        ("http://in:1/api", "http://in:1/apis", None),
        ("http://in:1", "http://in:12/a", None),
        ("http://in:1", "http://in:1@evil/", None),
        ("http://in:1", "http://in:1//evil/", None),
        ("http://in:1", "https://in:1/a", None),
        ("http://in:1", "/a", None),
    ],
)
def test_a_reference_below_an_origin(origin: str, reference: str, target: str | None) -> None:
    assert within(origin, reference) == target


@pytest.mark.parametrize("raw", ["/a%2fb", "/a\\b", "/a%5cb", "/a/../b", "/..;x"])
def test_what_is_kept_stays_as_it_is(raw: str) -> None:
    found = parse_target(raw, ("site",), method="GET", kept=KEEPABLE)
    assert isinstance(found, Target)
    assert found.path == raw.replace("%2f", "%2F").replace("%5c", "%5C")


def test_dots_are_found_behind_a_kept_backslash() -> None:
    kept = frozenset({Reason.TARGET_BACKSLASH})
    for raw in ("/a\\..\\b", "/a%5C..", "/..\\b"):
        assert parse_target(raw, ("site",), method="GET", kept=kept) == TargetRefusal(Reason.TARGET_DOT_SEGMENT)
