"""What a policy allows and is seldom meant: warned about, with the line and what would be right."""

from __future__ import annotations

import pytest

from veneer.policy.load import parse_policy
from veneer.policy.problems import ConfigError
from veneer.policy.warnings import report


def warnings(text: str) -> tuple[ConfigError, ...]:
    return parse_policy(text, "p").warnings


def of_cache(cache: str, match: str = "path: /a") -> list[str]:
    """The keys that one route's cache rules are warned about for."""
    text = f"routes:\n  - name: a\n    match: {{{match}}}\n    cache: {{{cache}}}\n"
    return [problem.key.removeprefix("routes[0].cache.") for problem in warnings(text)]


def test_a_warning_has_its_line_its_key_and_a_remedy() -> None:
    (found,) = warnings("routes:\n- name: a\n  match: {path: /a}\n  cache:\n    ttl: 1m\n    share_authorized: true\n")
    assert (found.line, found.column, found.key) == (6, 5, "routes[0].cache.share_authorized")
    assert "nothing in the key tells them apart" in found.message
    assert found.suggestion is not None
    assert "key: {headers: [Authorization]}" in found.suggestion


@pytest.mark.parametrize(
    "cache",
    [
        "",
        "ttl: 1h",
        "set_cookie: strip",
        "cookies: {pass: [session]}",
        "cookies: {key: [session]}",
        "share_authorized: false",
        'cookies: {ignore: ["_ga*", "_hjSession*", ajs_user_id, consent]}',
        "key: {query: {except: [utm_source, page]}}",
        "enabled: false, share_authorized: true, set_cookie: store",
    ],
)
def test_what_is_safe_is_not_warned_about(cache: str) -> None:
    assert of_cache(cache) == []


@pytest.mark.parametrize("key", ["", "headers: [Accept-Language, User-Agent, Sec-CH-UA-Mobile]", "query: {sort: true}"])
def test_shared_authorized_answers_are_warned_about(key: str) -> None:
    assert of_cache(f"share_authorized: true, key: {{{key}}}") == ["share_authorized"]


@pytest.mark.parametrize("name", ["Authorization", "X-Tenant", "Cookie", "Etter-Company-Pass"])
def test_unless_the_key_holds_an_identity(name: str) -> None:
    assert of_cache(f"share_authorized: true, key: {{headers: [{name}]}}") == []


def test_a_cookie_in_the_key_is_none_for_a_request_with_a_token_alone() -> None:
    assert of_cache("share_authorized: true, cookies: {key: [session]}") == ["share_authorized"]


@pytest.mark.parametrize("cookies", ['ignore: ["*"]', 'ignore: ["_ga*", "*"]', 'ignore: ["*"], key: [lang, "theme*"]'])
def test_sessions_that_are_ignored_with_all_cookies_are_warned_about(cookies: str) -> None:
    (key,) = of_cache(f"ttl: 1h, cookies: {{{cookies}}}")
    assert key.startswith("cookies.ignore[")


@pytest.mark.parametrize(
    "cache",
    [
        'cookies: {ignore: ["*"], pass: [session]}',
        'cookies: {ignore: ["*"], key: [sid]}',
        'cookies: {ignore: ["*"]}, key: {headers: [Cookie]}',
        'cookies: {ignore: ["s*"], pass: ["sess*", sid]}',
    ],
)
def test_what_passes_or_is_in_the_key_is_not_ignored(cache: str) -> None:
    assert of_cache(cache) == []


@pytest.mark.parametrize(
    "name",
    ["sessionid", "connect.sid", "PHPSESSID", "JSESSIONID", "laravel_session", "wordpress_logged_in_*", "XSRF-TOKEN",
     "__Host-session", "s*", ".AspNetCore.Identity.Application"],
)  # fmt: skip
def test_an_ignored_session_is_warned_about_by_its_name(name: str) -> None:
    assert of_cache(f'cookies: {{ignore: [_ga, "{name}"]}}') == ["cookies.ignore[1]"]


@pytest.mark.parametrize("rule", ["store", "explicit"])
def test_cookies_that_are_handed_on_are_warned_about(rule: str) -> None:
    assert of_cache(f"set_cookie: {rule}") == ["set_cookie"]


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "sid", "signature"])
def test_a_key_without_the_parameter_that_says_who_asks_is_warned_about(name: str) -> None:
    assert of_cache(f"key: {{query: {{except: [page, {name}]}}}}") == ["key.query.except"]


def test_routes_that_are_never_looked_up_are_left_alone() -> None:
    assert of_cache("set_cookie: store", "path: /a, methods: [POST, PUT]") == []
    assert of_cache("set_cookie: store, compat: {post_as_query: true}", "path: /a, methods: [POST]") == ["set_cookie"]


def test_what_routes_have_from_defaults_is_warned_about_once_and_names_them() -> None:
    routes = "\n".join(f"  - {{name: r{number}, match: {{path: /{number}}}}}" for number in range(6))
    (found,) = warnings(f"defaults: {{cache: {{set_cookie: store}}}}\nroutes:\n{routes}\n")
    assert found.line == 1
    assert found.message.endswith("(routes r0, r1, r2, r3, r4 and 2 more)")


def test_everybody_as_a_trusted_proxy_is_warned_about() -> None:
    assert [found.key for found in warnings('trusted_proxies: [10.0.0.0/8, "::/0"]')] == ["trusted_proxies[1]"]


def test_a_report_is_bounded() -> None:
    many = tuple(ConfigError(line, 1, "k", "m", "s") for line in range(1, 151))
    lines = report(many, "p.yaml")
    assert lines[0] == "p.yaml:1:1: k: m; s"
    assert lines[100:] == ["p.yaml: and 50 more warnings"]


def of_invalidations(*invalidates: str) -> list[str]:
    """What is said of what the second route invalidates, where the first has "notes" and one tag for each note."""
    named = ", ".join(f'"{tag}"' for tag in invalidates)
    text = (
        'routes:\n  - {name: a, match: {path: "/notes/{id}"}, cache: {tags: [notes, "note:{id}"]}}\n'
        f'  - {{name: b, match: {{path: "/n/{{n}}"}}, invalidates: [{named}]}}\n'
    )
    return [f"{found.key} {found.suggestion}" for found in warnings(text)]


def test_a_tag_that_nearly_a_route_has_is_probably_meant_to_be_that() -> None:
    assert of_invalidations("note") == ['routes[1].invalidates[0] did you mean "notes"?']
    assert of_invalidations("notes", "notee:{n}") == ['routes[1].invalidates[1] did you mean "note:{id}"?']


def test_other_tags_may_be_the_backends() -> None:
    assert of_invalidations("notes", "note:{n}", "note:*", "*", "pages", "note:{n}:title") == []
