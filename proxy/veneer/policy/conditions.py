"""What a route asks of a request beside method and path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from veneer.core.fields import Fields
from veneer.core.headers import OWS
from veneer.core.sharing import cookie_pairs

PRESENT: Final = "*"
"""As a value: whatever it is."""


@dataclass(frozen=True, slots=True)
class QueryCondition:
    """The query holds the parameter exactly once, with this value (percent-encoding undone)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldConditions:
    """What the request's host and fields must be, all of it. Hosts are lower case and have no port; `*.` is any label.

    Of `headers` (lower case) and `cookies` each has this value, or any where it is PRESENT; cookies are there once.
    """

    hosts: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return bool(self.hosts or self.headers or self.cookies)

    def hold(self, authority: str, fields: Fields) -> bool:
        """Whether a request to this authority, with these fields, is meant."""
        if self.hosts and not any(_is_host(pattern, authority) for pattern in self.hosts):
            return False
        asked = fields.joined
        for name, value in self.headers:
            said = asked.get(name)
            if said is None or (value != PRESENT and said.strip(OWS) != value):
                return False
        return not self.cookies or self._cookies_hold(fields)

    def _cookies_hold(self, fields: Fields) -> bool:
        cookies = cookie_pairs(fields)
        for name, value in self.cookies:
            values = [said for spelt, said in cookies if spelt == name]
            if len(values) != 1 or (value != PRESENT and values[0] != value):
                return False
        return True


WHOEVER: Final = FieldConditions()


def _is_host(pattern: str, authority: str) -> bool:
    host = authority.lower()
    if ":" in host and not host.endswith("]"):
        host = host.rpartition(":")[0]
    return host.endswith(pattern[1:]) and len(host) >= len(pattern) if pattern.startswith("*.") else host == pattern


def holds(conditions: tuple[QueryCondition, ...], query: str | None) -> bool:
    """Whether each condition's parameter occurs exactly once and with its value."""
    pairs = [item.partition("=") for item in (query or "").split("&")]
    for condition in conditions:
        values = [unquote_plus(value) for name, _, value in pairs if unquote_plus(name) == condition.name]
        if values != [condition.value]:
            return False
    return True


def implies(route: FieldConditions, other: FieldConditions) -> bool:
    """Whether whatever the first asks for is what the second asks for too, as far as that is plain to see."""
    hosts = not other.hosts or (bool(route.hosts) and set(route.hosts) <= set(other.hosts))
    return hosts and set(other.headers) <= set(route.headers) and set(other.cookies) <= set(route.cookies)
