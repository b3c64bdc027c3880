import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.warming.sources import WarmTarget, parse_target, read_targets


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/a?b=1", WarmTarget("/a?b=1")),
        ("/a#part", WarmTarget("/a")),
        ("http://Shop.example/x?y", WarmTarget("/x?y", "shop.example")),
        ("https://shop.example:8443", WarmTarget("/", "shop.example:8443")),
        ("ftp://shop.example/", None),
        ("a", None),
        ("http://user@shop.example/", None),
        ("http://[", None),
    ],
)
def test_a_target_is_a_path_or_a_url(text: str, target: WarmTarget | None) -> None:
    assert parse_target(text) == target


def test_a_list_has_comments_and_the_most_frequent_first() -> None:
    assert read_targets("# mine\n/a\n/b\n\nnot a target\n/b\n") == [WarmTarget("/b"), WarmTarget("/a")]


def test_a_sitemap_gives_its_places() -> None:
    text = """<?xml version="1.0"?><urlset><url><loc> https://s.example/a?x=1&amp;y=2 </loc></url>
    <url><loc>https://s.example/b</loc><lastmod>2026-01-01</lastmod></url></urlset>"""
    assert read_targets(text) == [WarmTarget("/a?x=1&y=2", "s.example"), WarmTarget("/b", "s.example")]


def test_access_logs_give_what_was_answered() -> None:
    lines = [
        json.dumps({"method": "GET", "path": "/a", "query": "x=1", "status": 200}),
        json.dumps({"method": "GET", "path": "/a", "query": None, "status": 404}),
        json.dumps({"method": "POST", "path": "/c", "status": 200}),
        '{"broken',
        '1.2.3.4 - - [22/Nov/2026:08:00:00 +0000] "GET /d?z HTTP/1.1" 200 5 "-" "curl"',
        '1.2.3.4 - - [22/Nov/2026:08:00:00 +0000] "GET /e HTTP/1.1" 500 5 "-" "curl"',
    ]
    assert read_targets("\n".join(lines)) == [WarmTarget("/a?x=1"), WarmTarget("/d?z")]


@given(st.text())
def test_any_text_gives_targets_or_none(text: str) -> None:
    assert all(target.target.startswith("/") for target in read_targets(text))
