"""From what was read of a request to an exchange of the pipeline: target, fields, client, route, request ID."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields
from veneer.core.forwarding import Peer, client_address, strip_untrusted
from veneer.core.headers import end_to_end
from veneer.core.messages import RequestHead
from veneer.core.target import TargetRefusal
from veneer.core.trace import TraceParent, trace_parent
from veneer.core.upgrades import asked_upgrade, negotiable
from veneer.pipeline.context import Exchange
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Policy
from veneer.ports import Client, Clock

NOT_FORWARDED: Final = fields_with(Use.HOP | Use.STEP)

CONTINUE: Final = "100-continue"
"""The one expectation there is (RFC 9110 section 10.1.1); of HTTP/1.0 it is ignored, and others are dropped."""

EnterTrace = Callable[[Fields], tuple[Fields, TraceParent | None, str]]
"""Gives an exchange a span of its own (veneer.observe.tracing)."""


class RequestStart(NamedTuple):
    """When a request came, in seconds since the epoch and monotonic, and the ID it goes by."""

    request_id: str
    received: float
    started_s: float


@dataclass(frozen=True, slots=True)
class HeadRefusal:
    """A head that could be parsed but not accepted: 400, 414, 431 or 501, and why."""

    status: int
    detail: str


class ExchangeFactory:
    """Makes exchanges."""

    def __init__(self, clock: Clock, ids: RequestIds, enter_trace: EnterTrace | None = None) -> None:
        self._clock = clock
        self._ids = ids
        self._enter_trace = enter_trace
        self._trust = TrustedPeers()

    def exchange(self, head: RequestHead, client: Client, policy: Policy, came: RequestStart | None = None) -> Exchange:
        """The exchange of a request that has just come from `client`, or of one that came before."""
        if came is None:
            own_id = self._ids.of(head.fields.joined.get("x-request-id"))
            came = RequestStart(own_id, self._clock.now(), self._clock.monotonic())
        address = client.address
        listed = policy.trusted_proxies
        trusted = bool(listed) and self._trust.covers(address, listed)
        peer = Peer(address, trusted)
        told = strip_untrusted(head.fields, peer, self._trust.knows, policy.pass_fields)
        if self._enter_trace is None:  # the log names the client's own trace and span
            fields, trace, parent_id = told, trace_parent(told) if "traceparent" in told.joined else None, ""
        else:
            fields, trace, parent_id = self._enter_trace(told)
        match = policy.matcher.match(head.method, head.path, head.query, head.authority, told)
        request = head.with_fields(fields.replaced("X-Request-ID", came.request_id))
        if "upgrade" in request.fields.joined:
            request = negotiable(request, match.route.upgrades)
        return Exchange(
            request=request,
            client=client,
            policy=policy,
            match=match,
            request_id=came.request_id,
            peer=peer,
            client_ip=client_address(told, peer, self._trust.knows) if trusted else address,
            received=came.received,
            started_s=came.started_s,
            trace=trace,
            trace_parent_id=parent_id,
        )


def head_of(
    method: str, raw_target: str, fields: Fields, version: tuple[int, int], policy: Policy, scheme: str
) -> RequestHead | HeadRefusal:
    """The head of what was read, or why it is refused."""
    limits = policy.limits
    if len(raw_target) > limits.target_bytes:
        return HeadRefusal(414, f"the request target may have at most {limits.target_bytes} bytes")
    if fields.once(_size_bytes) > limits.head_bytes or len(fields.pairs) > limits.header_count:
        detail = f"the header section may have at most {limits.header_count} lines and {limits.head_bytes} bytes"
        return HeadRefusal(431, detail)
    unspoken = _unspoken(method, fields, version)
    if unspoken is not None:
        return unspoken
    hosts = fields.lines("host")
    target = policy.read_target(raw_target, hosts, method=method, fields=fields, scheme=scheme, version=version)
    if isinstance(target, TargetRefusal):
        return HeadRefusal(400, f"the request target or Host is refused: {target.reason.value}")
    kept = fields.once(_kept)
    asked = fields.joined
    if "upgrade" in asked and (upgrade := asked_upgrade(method, version, fields)) is not None:
        kept = kept.added(("Upgrade", upgrade))  # the upstream room negotiates it anew
    if "expect" in asked and version >= (1, 1) and asked["expect"].lower() == CONTINUE:
        kept = kept.added(("Expect", CONTINUE))  # and asks for it where there is content
    return RequestHead(method, target.path, target.query, target.authority, kept, target.scheme, version)


def _size_bytes(fields: Fields) -> int:
    """The bytes of the lines, with a colon, a space and a line's end for each."""
    return sum(map(len, chain.from_iterable(fields.pairs))) + 4 * len(fields.pairs)


def _unspoken(method: str, fields: Fields, version: tuple[int, int]) -> HeadRefusal | None:
    """Other versions, tunnels to anywhere, and transfer codings that nobody undoes here.

    Of a body in another coding than chunked nobody may guess where it ends (RFC 9112 section 6.1).
    """
    if version[0] != 1:
        return HeadRefusal(400, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if method == "CONNECT":
        return HeadRefusal(400, "CONNECT is refused: no tunnels to other hosts are made here")
    coding = fields.joined.get("transfer-encoding")
    if coding is None or (coding.lower() == "chunked" and version >= (1, 1)):
        return None
    if version >= (1, 1) and coding.lower().endswith("chunked"):
        return HeadRefusal(501, "the only transfer coding understood here is chunked")
    return HeadRefusal(400, "Transfer-Encoding does not tell where the body ends")


def _kept(fields: Fields) -> Fields:
    """End-to-end fields."""
    return end_to_end(fields, NOT_FORWARDED)


class TrustedPeers:
    """Which peers are listed proxies; networks are parsed once per list."""

    def __init__(self) -> None:
        self._listed: Sequence[str] = ()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []

    def covers(self, address: str, listed: Sequence[str]) -> bool:
        """Whether `address` belongs to one of the listed addresses or networks."""
        if listed is not self._listed:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in listed]
            self._listed = listed
        return self.knows(address)

    def knows(self, address: str) -> bool:
        """As `covers`, with the list last given."""
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._networks)
