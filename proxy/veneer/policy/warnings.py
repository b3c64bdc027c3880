"""What a policy allows that is seldom meant: answers for the wrong clients, and writes that end nothing.

A warning refuses nothing. It says what would be shared with whom, where that is said, and what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from veneer.core.fields import Fields
from veneer.core.rules import CacheRules, SetCookieRule
from veneer.core.sharing import keyed_cookies, withheld
from veneer.policy.document import Document, KeyPath, show_path
from veneer.policy.model import Policy, Route
from veneer.policy.model_identity import JwtIdentity
from veneer.policy.places import is_loopback
from veneer.policy.problems import MAX_PROBLEMS, ConfigError, misspelt

LOOKED_UP: Final = frozenset({"GET", "HEAD", "QUERY"})

_NO_IDENTITY = re.compile(
    r"accept(-.*)?|sec-.*|user-agent|origin|referer|prefer|dnt|save-data|x-requested-with|x-forwarded-(host|port|proto)"
)
"""Request fields of which whole crowds send the same value."""

_PREFERENCE = re.compile(
    r"(.*[._-])?(lang(uage)?|locale|i18n|theme|currency|country|region|tz|timezone|consent)\*?", re.IGNORECASE
)

_SESSIONS = (
    "session", "sessionid", "session_id", "sid", "connect.sid", "PHPSESSID", "JSESSIONID", "ASP.NET_SessionId",
    "laravel_session", "_session_id", "auth", "auth_token", "access_token", "token", "jwt", "remember_token",
    "wordpress_logged_in_", "csrftoken", "XSRF-TOKEN",
)  # fmt: skip
"""What widely used frameworks call the cookie that tells users apart."""

_SESSION = re.compile(
    r"(.*[._-])?(sess(ion)?(_?id)?|sid|auth|token|jwt|login|logged_in_?|remember(_me)?)"
    r"|(php|j|asp)sess(ion)?id.*|(csrf|xsrf)[._-]?token|\.aspnetcore\..*",
    re.IGNORECASE,
)

_CREDENTIAL = re.compile(
    r"((access|auth|id|session)[._-]?)?token|api[._-]?key|auth|jwt|password|sid|sig(nature)?", re.IGNORECASE
)
"""Query parameters that say who asks."""

Found = tuple[KeyPath, str, str]
"""The path of the key below `cache`, what it comes to, and what would be right."""


def warnings_of(document: Document, policy: Policy) -> tuple[ConfigError, ...]:
    """Every warning about a policy that was built of `document` without a problem, in the order of the text.

    What a route has from `defaults` is reported there, once, whatever the number of routes is.
    """
    found: dict[ConfigError, list[str]] = {}
    last = len(policy.routes) - 1
    for index, route in enumerate(policy.routes):
        if not route.cache.enabled or not _is_looked_up(route):
            continue
        own: KeyPath = ("defaults",) if index == last else ("routes", index)
        for key, message, remedy in _of_route(route.cache):
            path = (*own, "cache", *key)
            if document.find(path) is None:
                path = ("defaults", "cache", *key)
            found.setdefault(_problem(document, path, message, remedy), []).append(route.name)
    found.update((problem, []) for problem in _of_proxies(document, policy))
    found.update((problem, []) for problem in _of_listeners(document, policy))
    found.update((problem, []) for problem in _of_keys(document, policy))
    found.update((problem, []) for problem in _of_tags(document, policy))
    shown = [_naming(problem, names) for problem, names in found.items()]
    return tuple(sorted(shown, key=lambda problem: (problem.file, problem.line, problem.column, problem.key)))


def report(warnings: Sequence[ConfigError], name: str) -> list[str]:
    """One line for each, at most a hundred; `name` stands for the file."""
    lines = [problem.report(name) for problem in warnings[:MAX_PROBLEMS]]
    if len(warnings) > MAX_PROBLEMS:
        lines.append(f"{name}: and {len(warnings) - MAX_PROBLEMS} more warnings")
    return lines


def _problem(document: Document, path: KeyPath, message: str, remedy: str) -> ConfigError:
    position = document.locate(path, key=True)
    return ConfigError(position.line, position.column, show_path(path), message, remedy, position.file)


def _naming(problem: ConfigError, routes: Sequence[str]) -> ConfigError:
    """The problem with the routes that it concerns, where its place does not say them."""
    if not problem.key.startswith("defaults"):
        return problem
    names = ", ".join(routes[:5]) + (f" and {len(routes) - 5} more" if len(routes) > 5 else "")
    message = f"{problem.message} (route{'s' * (len(routes) > 1)} {names})"
    return ConfigError(problem.line, problem.column, problem.key, message, problem.suggestion, problem.file)


def _is_looked_up(route: Route) -> bool:
    return route.methods is None or bool(route.methods & LOOKED_UP) or route.post_as_query


def _of_route(rules: CacheRules) -> Iterator[Found]:
    yield from _authorization(rules)
    yield from _ignored_cookies(rules)
    yield from _set_cookies(rules)
    for name in sorted(rules.key.query_except):
        if _CREDENTIAL.fullmatch(name):
            yield (
                ("key", "query", "except"),
                f'"{name}" is left out of the key: whoever asks with another one gets the same response',
                "keep what says who asks in the key",
            )


def _authorization(rules: CacheRules) -> Iterator[Found]:
    """One shared place for all users, where no field of the key tells them apart; a cookie need not come with it."""
    if rules.share_authorized and not any(_is_identity(name) for name in rules.key.headers):
        yield (
            ("share_authorized",),
            "what the backend answers one user goes to every other: nothing in the key tells them apart",
            "remove it and let the backend say `public` or `s-maxage`, or write `key: {headers: [Authorization]}`",
        )


def _is_identity(name: str) -> bool:
    return _NO_IDENTITY.fullmatch(name) is None


def _ignored_cookies(rules: CacheRules) -> Iterator[Found]:
    cookies = rules.cookies
    told_apart = cookies.passes or any(not _PREFERENCE.fullmatch(name) for name in cookies.key)
    for index, pattern in enumerate(cookies.ignored):
        at = ("cookies", "ignore", index)
        if pattern == "*" and not told_apart and "cookie" not in rules.key.headers:
            why = "sessions are ignored with all other cookies: what the backend answers one user goes to every other"
            yield at, why, "write `pass: [YOUR_SESSION]` beside it, or ignore only what means nothing to the backend"
        elif pattern != "*" and (names := _sessions(pattern, rules)):
            why = (
                f"{_quoted(names)} usually tells users apart: what the backend answers one of them goes to every other"
            )
            yield at, why, f"write `pass: [{names[0]}]` or `key: [{names[0]}]` instead"


def _sessions(pattern: str, rules: CacheRules) -> list[str]:
    """Cookies under a pattern that look like sessions, and of which the policy says nothing else."""
    stem = pattern.removesuffix("*")
    names = [stem] if _SESSION.fullmatch(stem) else []
    if pattern != stem and not names:
        names = [name for name in _SESSIONS if name.startswith(stem)]
    return [name for name in names if _is_for_all(name, rules)]


def _is_for_all(cookie: str, rules: CacheRules) -> bool:
    asked = Fields([("Cookie", f"{cookie}=1")])
    kept_apart = "cookie" in rules.key.headers or keyed_cookies(asked, rules.cookies) is not None
    return not kept_apart and withheld(asked, rules) is None


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:3])


def _set_cookies(rules: CacheRules) -> Iterator[Found]:
    if rules.set_cookie in (SetCookieRule.STORE, SetCookieRule.EXPLICIT):
        when = "" if rules.set_cookie is SetCookieRule.STORE else " wherever the backend gives a lifetime"
        yield (
            ("set_cookie",),
            f"the cookie that the backend sets for one client, a session for one, is given to all others{when}",
            "write `refuse` or `strip`",
        )


def _of_proxies(document: Document, policy: Policy) -> Iterator[ConfigError]:
    for index, network in enumerate(policy.trusted_proxies):
        if ipaddress.ip_network(network).prefixlen == 0:
            why = "every client is believed about its own address, and so escapes rate limits"
            yield _problem(document, ("trusted_proxies", index), why, "name the networks of your own proxies")


def _of_listeners(document: Document, policy: Policy) -> Iterator[ConfigError]:
    for at, listener in enumerate(policy.listeners):
        for index, network in enumerate(listener.proxy_protocol):
            if ipaddress.ip_network(network).prefixlen == 0:
                why = "every client is believed about its own address, and so escapes rate limits"
                path = ("listeners", at, "proxy_protocol", index)
                yield _problem(document, path, why, "name the networks of your own proxies")


def _of_keys(document: Document, policy: Policy) -> Iterator[ConfigError]:
    for identity in policy.identities:
        if not isinstance(identity.proof, JwtIdentity):
            continue
        at = ("identities", identity.name, "jwt", "keys")
        for key in identity.proof.keys:
            if not key.text:
                why = f'the environment has no "{key.place}": the identity proves nothing'
                yield _problem(document, at, why, "set it")
        for place in identity.proof.key_sets:
            if place.origin.startswith("http:") and not is_loopback(urlsplit(place.origin).hostname or ""):
                why = f'"{place}" is fetched without TLS: who is on the way there can make tokens for anybody'
                yield _problem(document, at, why, 'write "https://", with a `ca` where it is your own')


def _of_tags(document: Document, policy: Policy) -> Iterator[ConfigError]:
    """Invalidations of a tag that no route has and one nearly has. What else no route has, the backend may name."""
    carried = {_without_names(tag.text): tag.text for route in policy.routes for tag in route.tag_templates}
    for index, route in enumerate(policy.routes):
        for at, named in enumerate(route.invalidation_templates):
            text = _without_names(named.text)
            if text in carried or text.endswith("*"):
                continue
            alike = [tag for shape, tag in carried.items() if _is_alike(text, shape)]
            if (hint := misspelt(named.text, alike, 0.0)) is not None:
                path: KeyPath = ("routes", index, "invalidates", at)
                path = path if document.find(path) is not None else ("defaults", "invalidates", at)
                why = f'no route has the tag "{named.text}", so this ends nothing unless the backend names it'
                yield _problem(document, path, why, hint)


def _is_alike(text: str, other: str) -> bool:
    near = text.count(":") == other.count(":") and abs(len(text) - len(other)) <= 1
    return near and misspelt(text, [other], 0.8) is not None


def _without_names(tag: str) -> str:
    """A tag with its parameters alike: what they are called does not count."""
    return re.sub(r"\{[^{}]*\}", "{}", tag)
