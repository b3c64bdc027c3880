"""From an aiohttp request to an exchange of the pipeline: target, fields, client, route, request ID."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from aiohttp import web

from proxy.app.observe.tracing import PassThrough, Tracing
from proxy.app.request_ids import RequestIds
from proxy.app.server.bounds import MalformedRequest
from proxy.app.server.client import AiohttpClient, PlainClient
from proxy.app.server.plain import PlainRequest
from proxy.app.server.protocol import ConnectionProtocol, Sent
from proxy.app.server.wire import BodyFraming, serialise
from proxy.app.server.wire import Exchange as WireExchange
from proxy.core.fields import Fields
from proxy.core.forwarding import Peer, believed, client_address
from proxy.core.headers import HOP_BY_HOP, end_to_end
from proxy.core.messages import RequestHead
from proxy.core.problem import Problem, problem_head
from proxy.core.target import TargetRefusal, parse_target
from proxy.pipeline.context import Exchange, Services
from proxy.pipeline.exchange import ExchangeRecord, Refusal
from proxy.pipeline.handle import Handler
from proxy.policy.model import Policy
from proxy.policy.watch import PolicySource
from proxy.ports import Client

NOT_KEPT = HOP_BY_HOP | {"expect"}
REFUSALS = {
    400: Refusal.MALFORMED,
    408: Refusal.SLOW,
    414: Refusal.HEAD_TOO_LARGE,
    431: Refusal.HEAD_TOO_LARGE,
    503: Refusal.LOAD,
}


@dataclass(frozen=True, slots=True)
class HeadRefusal:
    """A head that could be parsed but not accepted: 400, 414, 431 or 501, and why."""

    status: int
    detail: str


class Front:
    """The server's request callback, and its way for plain requests."""

    def __init__(
        self,
        services: Services,
        policies: PolicySource,
        ids: RequestIds | None = None,
        tracing: Tracing | None = None,
        *,
        tls: bool = False,
    ) -> None:
        self._services = services
        self._policies = policies
        self._handler = Handler(services)
        self._scheme = "https" if tls else "http"
        self._trust = TrustedPeers()
        self._ids = ids or RequestIds()
        self._tracing = tracing or PassThrough()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; the response has left when this returns."""
        policy = self._policies.current
        version = (request.version.major, request.version.minor)
        wire = WireExchange(request.method, version, bool(request.keep_alive))
        protocol = request.protocol
        assert isinstance(protocol, ConnectionProtocol)
        client = AiohttpClient(request, protocol, wire, policy.timeouts.body_s)
        protocol.attend(client)
        head = read_head(request, policy, self._scheme)
        if isinstance(head, HeadRefusal):
            protocol.write(self.refuse(head.status, head.detail, client.address))
            return Sent(keep_alive=False)
        await self._handler.handle(self._exchange(head, client, policy))
        protocol.attend(None)
        return Sent(keep_alive=client.keep_alive)

    def begin(self, request: PlainRequest, connection: ConnectionProtocol) -> asyncio.Task[None]:
        """Answer a plain request in a task of its own."""
        return self._services.tasks.start(self._answer(request, connection), "answer a plain request")

    async def _answer(self, request: PlainRequest, connection: ConnectionProtocol) -> None:
        keep_alive = False
        try:
            policy = self._policies.current
            head = head_of(request.method, request.target, request.fields, (1, 1), policy, self._scheme)
            if isinstance(head, HeadRefusal):
                connection.write(self.refuse(head.status, head.detail, connection.address))
                return
            client = PlainClient(request.content, connection, WireExchange(request.method, (1, 1), keep_alive=True))
            connection.attend(client)
            await self._handler.handle(self._exchange(head, client, policy))
            keep_alive = client.keep_alive
        finally:
            connection.over(keep_alive=keep_alive)

    def _exchange(self, head: RequestHead, client: Client, policy: Policy) -> Exchange:
        clock = self._services.clock
        trusted = self._trust.covers(client.address, policy.trusted_proxies)
        peer = Peer(client.address, trusted)
        own_id = self._ids.of(head.fields.joined.get("x-request-id"))
        fields, trace, trace_parent_id = self._tracing.enter(believed(head.fields, peer))
        return Exchange(
            request=head.with_fields(fields.replaced("X-Request-ID", own_id)),
            client=client,
            policy=policy,
            match=policy.match(head.method, head.path, head.query),
            request_id=own_id,
            peer=peer,
            client_ip=self._client_address(head.fields, peer, policy) if trusted else peer.address,
            received=clock.now(),
            started_s=clock.monotonic(),
            trace=trace,
            trace_parent_id=trace_parent_id,
        )

    def _client_address(self, fields: Fields, peer: Peer, policy: Policy) -> str:
        return client_address(fields, peer, lambda address: self._trust.covers(address, policy.trusted_proxies))

    def malformed(self, found: MalformedRequest) -> bytes:
        """The answer to what aiohttp's parser refused."""
        return self.refuse(found.status, found.detail.splitlines()[0] if found.detail else "", found.address)

    def refuse(self, status: int, detail: str, address: str) -> bytes:
        """The octets of a refusal, recorded; the connection closes after it (RFC 9112 section 2.2)."""
        own_id = self._ids.make()
        problem = Problem(status, detail or "the request is malformed", request_id=own_id)
        body = problem.body()
        head = problem_head(problem, ("X-Request-ID", own_id))
        self._services.recorder.begin()
        self._services.recorder.finish(
            ExchangeRecord(
                time=self._services.clock.now(),
                request_id=own_id,
                client=address,
                method="",
                path="",
                status=status,
                duration_ms=0.0,
                bytes_out=len(body),
                refused=REFUSALS.get(status, Refusal.MALFORMED),
                error=detail,
            )
        )
        wire = WireExchange("GET", (1, 1), keep_alive=False)
        return serialise(head, wire, BodyFraming.LENGTH, len(body)) + body


def read_head(request: web.BaseRequest, policy: Policy, scheme: str) -> RequestHead | HeadRefusal:
    """The request's head as the pipeline wants it, or why it is refused."""
    raw_target = request.raw_path.encode("utf-8", "surrogateescape").decode("latin-1")
    version = (request.version.major, request.version.minor)
    return head_of(request.method, raw_target, Fields.from_raw(request.raw_headers), version, policy, scheme)


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
    if version[0] != 1:
        return HeadRefusal(400, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    framing = _unusable_coding(fields, version)
    if framing is not None:
        return framing
    target = parse_target(raw_target, fields.lines("host"), method=method, scheme=scheme, version=version)
    if isinstance(target, TargetRefusal):
        return HeadRefusal(400, f"the request target or Host is refused: {target.reason.value}")
    return RequestHead(method, target.path, target.query, target.authority, fields.once(_kept), target.scheme, version)


def _size_bytes(fields: Fields) -> int:
    """The octets of the lines, with a colon, a space and a line's end for each."""
    return sum(map(len, chain.from_iterable(fields.pairs))) + 4 * len(fields.pairs)


def _unusable_coding(fields: Fields, version: tuple[int, int]) -> HeadRefusal | None:
    """Transfer codings beside chunked are not undone here, and nobody may guess where such a body ends (9112 6.1)."""
    coding = fields.joined.get("transfer-encoding")
    if coding is None or (coding.lower() == "chunked" and version >= (1, 1)):
        return None
    if version >= (1, 1) and coding.lower().endswith("chunked"):
        return HeadRefusal(501, "the only transfer coding understood here is chunked")
    return HeadRefusal(400, "Transfer-Encoding does not tell where the body ends")


def _kept(fields: Fields) -> Fields:
    """End-to-end fields, and Upgrade where the client asks for it: the upstream room negotiates it anew."""
    kept = end_to_end(fields, NOT_KEPT)
    upgrade = fields.joined.get("upgrade")
    if upgrade is not None and "upgrade" in fields.joined.get("connection", "").lower():
        return kept.added(("Upgrade", upgrade))
    return kept


class TrustedPeers:
    """Which peers are listed proxies; networks are parsed once per list."""

    def __init__(self) -> None:
        self._listed: Sequence[str] = ()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []

    def covers(self, address: str, listed: Sequence[str]) -> bool:
        """Whether `address` belongs to one of the listed addresses or networks."""
        if not listed:
            return False
        if listed is not self._listed:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in listed]
            self._listed = listed
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._networks)
