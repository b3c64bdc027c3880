"""What this proxy adds to and takes from messages on their way (RFC 9110 section 7.6, RFC 7239)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from proxy.core.address import told_clients
from proxy.core.dates import format_date
from proxy.core.fields import Fields, Pair
from proxy.core.messages import RequestHead
from proxy.core.remembered import remembered
from proxy.core.vary import reduced_accept_encoding

FORWARDING: Final = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip"}
)
"""Fields in which proxies tell what they saw. They are rebuilt; only a trusted peer's are carried on."""

NEVER_FROM_STRANGERS: Final = FORWARDING | {
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-host-override",
    "x-original-host",
    "x-original-url",
    "x-original-uri",
    "x-originating-ip",
    "x-remote-addr",
    "x-rewrite-url",
    "x-url-scheme",
    "front-end-https",
    "true-client-ip",
    "cf-connecting-ip",
}
"""Fields by which backends are told another URL, host, method or client than the request shows. They are not part of
the cache key: from a client they are how a cache is poisoned."""


VIA: Final = frozenset({"via"})

METHOD_OVERRIDES: Final = frozenset({"x-http-method", "x-http-method-override", "x-method-override"})
"""Fields that make a backend carry out another method. With a safe method they would make it do what this proxy does
not see, and what is then stored answers another request; with POST they are somebody's way to send PATCH."""


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Peer:
    """Who sent the request: its address without port, and whether it is one of the listed trusted proxies."""

    address: Final[str]
    trusted: Final[bool]

    def __init__(self, address: str, trusted: bool) -> None:
        self.address = address
        self.trusted = trusted


def client_address(fields: Fields, peer: Peer, is_trusted: Callable[[str], bool]) -> str:
    """The client's address: the peer's, or behind trusted proxies the last that they tell and that is not theirs."""
    if not peer.trusted:
        return peer.address
    seen = told_clients(fields)
    for address in reversed(seen):
        if not is_trusted(address):
            return address
    return seen[0] if seen else peer.address


def believed(fields: Fields, peer: Peer) -> Fields:
    """The request's fields less what a stranger says of hops that only proxies know, before anything looks at them."""
    return fields if peer.trusted else fields.once(_believable)


def _believable(fields: Fields) -> Fields:
    return fields.without(NEVER_FROM_STRANGERS)


def to_origin(request: RequestHead, peer: Peer, *, via: str, codings: tuple[str, ...] | None = None) -> RequestHead:
    """The request as it goes to the origin.

    Adds Via, X-Forwarded-For, -Host and -Proto, and Forwarded. `codings` are given for a request that may be
    answered from the cache later: Accept-Encoding is reduced to them, as the key is (core.vary).
    """
    fields = request.fields
    previous = fields.joined.get("via")
    own_via = f"{_version(request.version)} {via}"
    told = f"{previous}, {own_via}" if previous else own_via
    seen = _known_seen((peer.address, request.authority, request.scheme, told))
    drop = _DROP_OF_STRANGERS
    if peer.trusted:
        drop, seen = _DROP_OF_TRUSTED, _after_what_was_told(fields, seen)
    kept = fields.without(drop[request.is_safe])
    accepted = fields.joined.get("accept-encoding")
    if codings is not None and accepted is not None:
        kept = kept.replaced("Accept-Encoding", reduced_accept_encoding(accepted, codings))
    return request.with_fields(kept.followed_by(seen))


_REBUILT: Final = frozenset({"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via"})
_LISTS: Final = frozenset({"X-Forwarded-For", "Forwarded"})
_NOT_FROM_STRANGERS: Final = NEVER_FROM_STRANGERS | VIA
# Each for methods that are not safe and for those that are.
_DROP_OF_TRUSTED: Final = (_REBUILT, _REBUILT | METHOD_OVERRIDES)
_DROP_OF_STRANGERS: Final = (_NOT_FROM_STRANGERS, _NOT_FROM_STRANGERS | METHOD_OVERRIDES)


def _seen(facts: tuple[str, str, str, str]) -> Fields:
    """What this proxy saw of a request (the client's address, authority and scheme) and Via."""
    address, authority, scheme, via = facts
    host = (("X-Forwarded-Host", authority),) if authority else ()
    node = f'"[{address}]"' if ":" in address else address
    own = f"for={node};proto={scheme}"
    if authority:
        own += f';host="{authority}"'
    return Fields(
        (("X-Forwarded-For", address), *host, ("X-Forwarded-Proto", scheme), ("Forwarded", own), ("Via", via))
    )


_known_seen: Final = remembered(_seen, 1024)
"""It is the same for all that come from one client to one host."""


def _after_what_was_told(told: Fields, seen: Fields) -> Fields:
    """What this proxy saw, after what a trusted peer `told`; of host and scheme the peer knows better."""
    pairs: list[Pair] = []
    for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"):
        before, mine = told.get(name.lower()), seen.get(name.lower())
        if before and mine and name in _LISTS:
            pairs.append((name, f"{before}, {mine}"))
        elif value := before or mine:
            pairs.append((name, value))
    return Fields((*pairs, ("Via", seen.joined["via"])))


def to_client(fields: Fields, *, via: str, now: float, version: tuple[int, int] = (1, 1)) -> Fields:
    """A response from the origin as it goes to the client: Via, and Date where it is absent (RFC 9110 section 6.6.1).

    `version` is that of the message received.
    """
    return fields.changed(VIA, via_and_date(fields, via=via, now=now, version=version))


def via_and_date(fields: Fields, *, via: str, now: float, version: tuple[int, int] = (1, 1)) -> tuple[Pair, ...]:
    """The lines that a response gets in place of its Via on its way to the client."""
    own = f"{_version(version)} {via}"
    previous = fields.joined.get("via")
    line = ("Via", f"{previous}, {own}" if previous else own)
    return (line,) if "date" in fields.joined else (line, ("Date", format_date(now)))


def aged(fields: Fields, age_s: float) -> Fields:
    """The fields with their Age to the nearest second in place of the one that came."""
    return fields.replaced("Age", str(max(0, round(age_s))))


TOLD_DELAY_S: Final = 1.0
"""From here on a delay shows in Age."""


def delayed_age(fields: Fields, delay_s: float) -> Fields:
    """A forwarded response that took long: Age counts the delay (RFC 9111 section 4.2.3)."""
    if delay_s < TOLD_DELAY_S or "age" in fields.joined:
        return fields
    return fields.added(("Age", str(round(delay_s))))


def _version(version: tuple[int, int]) -> str:
    return "1.1" if version == (1, 1) else f"{version[0]}.{version[1]}"
