"""What this proxy adds to and takes from messages on their way (RFC 9110 section 7.6, RFC 7239)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.address import told_clients
from veneer.core.dates import format_date
from veneer.core.field_table import FORWARDING
from veneer.core.fields import Fields, Pair
from veneer.core.headers import is_token
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.remembered import memoised
from veneer.core.target import within
from veneer.core.told import told_plainly
from veneer.core.vary import reduced_accept_encoding

NEVER_FROM_STRANGERS: Final = FORWARDING | {
    "cf-connecting-ip",
    "client-ip",
    "front-end-https",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-path",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-host",
    "x-http-host-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-remote-addr",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
}
"""Fields by which backends are told another URL, host, method or client than the request shows. They are not part of
the cache key: from a client they are how a cache is poisoned. A trusted proxy passes on what its clients write, so of
it those in FORWARDING alone are believed."""


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


IsTrusted = Callable[[str], bool]
"""Whether an address is that of a listed proxy."""


def client_address(fields: Fields, peer: Peer, is_trusted: IsTrusted) -> str:
    """The client's address: the peer's, or behind trusted proxies the last that they tell and that is not theirs."""
    if not peer.trusted:
        return peer.address
    seen = told_clients(fields)
    for address in reversed(seen):
        if not is_trusted(address):
            return address
    return seen[0] if seen else peer.address


def strip_untrusted(fields: Fields, peer: Peer, is_trusted: IsTrusted, passed: frozenset[str] = frozenset()) -> Fields:
    """The request's fields less what nobody may say of it, before anything looks at them.

    That is what NEVER_FROM_STRANGERS names, and every name with other characters than letters, digits and hyphens:
    servers that make variables of names take "Accept_Language" for "Accept-Language" (RFC 3875 section 4.1.18), and
    what they then read is not what was keyed. `passed` are names to be let through, which are in the key.

    Of a trusted peer FORWARDING is believed. What it says in Forwarded (RFC 7239) or X-Real-IP is put into the
    X-Forwarded fields that it does not send, and every address into its plain form.
    """
    if not peer.trusted:
        return fields.once(_believable) if not passed else fields.without(_unsaid(fields, NEVER_FROM_STRANGERS, passed))
    kept = fields.without(_unsaid(fields, _NEVER_FROM_ANYBODY, passed))
    return told_plainly(kept, is_trusted) if FORWARDING.intersection(kept.joined) else kept


_NEVER_FROM_ANYBODY: Final = NEVER_FROM_STRANGERS - FORWARDING


def _believable(fields: Fields) -> Fields:
    return fields.without(_unsaid(fields, NEVER_FROM_STRANGERS, frozenset()))


def _unsaid(fields: Fields, never: frozenset[str], passed: frozenset[str]) -> frozenset[str]:
    """The names among `fields` that may not go on."""
    return frozenset([n for n in fields.joined if (n in never or _is_ambiguous(n)) and n not in passed])


def _has_other_characters(name: str) -> bool:
    return not name.replace("-", "").isalnum()


_is_ambiguous: Final = memoised(_has_other_characters, 512)


def to_origin(request: RequestHead, peer: Peer, *, via: str, codings: tuple[str, ...] | None = None) -> RequestHead:
    """The request as it goes to the origin.

    Adds Via, X-Forwarded-For, -Host and -Proto, and Forwarded, which tells the same scheme and host. The fields of the
    request are those of `strip_untrusted`. `codings` are given for a request that may be answered from the cache later:
    Accept-Encoding is reduced to them, as the key is (core.vary).
    """
    fields = request.fields
    previous = fields.joined.get("via")
    own_via = f"{request.version[0]}.{request.version[1]} {via}"
    told = f"{previous}, {own_via}" if previous else own_via
    seen = _known_seen((peer.address, request.authority, request.scheme, told))
    if peer.trusted:
        seen = _after_what_was_told(fields, seen)
    kept = fields.without(_DROP[request.is_safe])
    accepted = fields.joined.get("accept-encoding")
    if codings is not None and accepted is not None:
        kept = kept.replaced("Accept-Encoding", reduced_accept_encoding(accepted, codings))
    return request.with_fields(kept.followed_by(seen))


def passed_before(fields: Fields, via: str) -> bool:
    """Whether a request has been sent on under this name already: Via tells (RFC 9110 section 7.6.3)."""
    told = fields.joined.get("via")
    return told is not None and any(via in element.split()[1:2] for element in told.split(","))


_REBUILT: Final = frozenset({"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via"})
_DROP: Final = (_REBUILT, _REBUILT | METHOD_OVERRIDES)
"""For methods that are not safe, and for those that are."""


def _seen(facts: tuple[str, str, str, str]) -> Fields:
    """What this proxy saw of a request (the client's address, authority and scheme) and Via."""
    address, authority, scheme, via = facts
    host = (("X-Forwarded-Host", authority),) if authority else ()
    own = f"for={_node(address)}" + _around(scheme, authority)
    return Fields(
        (("X-Forwarded-For", address), *host, ("X-Forwarded-Proto", scheme), ("Forwarded", own), ("Via", via))
    )


def _around(scheme: str, host: str) -> str:
    """What an element of Forwarded says beside the node."""
    quoted = host.replace("\\", "\\\\").replace('"', '\\"')
    return f";proto={scheme if is_token(scheme) else 'unknown'}" + (f';host="{quoted}"' if host else "")


def _node(address: str) -> str:
    """A node's name in Forwarded (RFC 7239 section 6)."""
    if ":" in address:
        return f'"[{address}]"'
    return address if is_token(address) else "unknown"


_known_seen: Final = memoised(_seen, 1024)
"""It is the same for all that come from one client to one host."""


def _after_what_was_told(told: Fields, seen: Fields) -> Fields:
    """What this proxy saw, after what a trusted peer `told`; of host and scheme the peer knows better."""
    before, mine = told.joined.get("x-forwarded-for"), seen.joined["x-forwarded-for"]
    chain = f"{before}, {mine}" if before else mine
    host = told.joined.get("x-forwarded-host") or seen.joined.get("x-forwarded-host") or ""
    scheme = told.joined.get("x-forwarded-proto") or seen.joined["x-forwarded-proto"]
    around = _around(scheme, host)
    pairs: list[Pair] = [("X-Forwarded-For", chain)]
    if host:
        pairs.append(("X-Forwarded-Host", host))
    pairs.append(("X-Forwarded-Proto", scheme))
    pairs.append(("Forwarded", ", ".join([f"for={_node(address.strip())}{around}" for address in chain.split(",")])))
    return Fields((*pairs, ("Via", seen.joined["via"])))


def located(head: ResponseHead, origin: str) -> ResponseHead:
    """The head with a Location on the backend's own `origin` as one on the client's: with its path alone.

    A backend that names itself by its inner address would send clients where they cannot go. A path holds for every
    host and scheme under which a client may have come, so that what is stored is right for all.
    """
    location = head.fields.joined.get("location")
    target = None if location is None else within(origin, location)
    if target is None:
        return head
    pairs = [(name, target if name.lower() == "location" else value) for name, value in head.fields.pairs]
    return ResponseHead(head.status, head.reason, Fields(pairs))


def to_client(fields: Fields, *, via: str, now: float, version: tuple[int, int] = (1, 1)) -> Fields:
    """A response from the origin as it goes to the client: Via, and Date where it is absent (RFC 9110 section 6.6.1).

    `version` is that of the message received.
    """
    return fields.changed(VIA, via_and_date(fields, via=via, now=now, version=version))


def via_and_date(fields: Fields, *, via: str, now: float, version: tuple[int, int] = (1, 1)) -> tuple[Pair, ...]:
    """The lines that a response gets in place of its Via on its way to the client."""
    own = f"{version[0]}.{version[1]} {via}"
    previous = fields.joined.get("via")
    line = ("Via", f"{previous}, {own}" if previous else own)
    return (line,) if "date" in fields.joined else (line, ("Date", format_date(now)))


def age_line(age_s: float) -> Pair:
    """The Age of a stored response, to the nearest second, in place of the one that came with it."""
    return "Age", str(max(0, round(age_s)))


AGE_DELAY_S: Final = 1.0
"""From here on a delay shows in Age."""


def delay_line(fields: Fields, delay_s: float) -> Pair | None:
    """The Age of a forwarded response that took long: it counts the delay (RFC 9111 section 4.2.3)."""
    return None if delay_s < AGE_DELAY_S or "age" in fields.joined else ("Age", str(round(delay_s)))
