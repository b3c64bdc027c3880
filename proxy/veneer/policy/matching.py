"""From the checked section `match` to what a route asks of hosts and fields, and what is wrong with that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from veneer.core.field_table import Use, fields_with
from veneer.core.forwarding import NEVER_FROM_STRANGERS
from veneer.policy.conditions import FieldConditions
from veneer.policy.document import KeyPath
from veneer.policy.model import Route
from veneer.policy.schema import MatchShape

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
_COOKIE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_THERE: Final = NEVER_FROM_STRANGERS | fields_with(Use.HOP | Use.FRAMING | Use.WRITTEN | Use.STEP) | {"via"}
_INSTEAD: Final = {
    "cookie": "write `cookies: {NAME: VALUE}`",
    "host": "write `host: app.example`",
    "x-request-id": "match what the client means by it",
}


def field_conditions(shape: MatchShape) -> FieldConditions:
    """What the route asks of host and fields."""
    headers = tuple(sorted((name.lower(), value) for name, value in shape.headers.items()))
    return FieldConditions(tuple(sorted(set(shape.host))), headers, tuple(sorted(shape.cookies.items())))


def wrong_conditions(shape: MatchShape) -> Iterator[tuple[KeyPath, str, str | None]]:
    """Where below `match`, what is wrong there, and what would be right."""
    for index, host in enumerate(shape.host):
        if not _HOST.fullmatch(host):
            yield ("host", index), f'"{host}" is not a host in lower case, without port', _as_host(host)
    seen: set[str] = set()
    for name in shape.headers:
        lower = name.lower()
        if lower in _INSTEAD:
            yield ("headers", name), f'"{name}" is matched otherwise', _INSTEAD[lower]
        elif lower in _NOT_THERE or not lower.replace("-", "").isalnum():
            yield ("headers", name), f'"{name}" is taken out of requests before they are matched', "remove it"
        elif lower in seen:
            yield ("headers", name), f'"{name}" is listed twice', "remove one"
        seen.add(lower)
    for name, value in shape.cookies.items():
        if not _COOKIE.fullmatch(name) or any(sign in value for sign in ";, "):
            yield ("cookies", name), f'"{name}={value}" can be no cookie', "write the name, and the value as it is sent"


def _as_host(text: str) -> str:
    host = text.lower().rpartition("://")[2].partition("/")[0].partition(":")[0]
    return f'write "{host}"' if _HOST.fullmatch(host) else 'write "app.example" or "*.app.example"'


def beside_each_other(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """The routes, each knowing how those that ask for fields key a target: a write of it has to name them all."""
    others = tuple(dict.fromkeys(route.cache.key for route in routes if route.asked and route.cache.enabled))
    if not others:
        return routes
    return tuple(
        replace(route, cache=replace(route.cache, key=replace(route.cache.key, beside=others))) for route in routes
    )
