"""The server's way into the pipeline: what aiohttp has read, and what is plain."""

from __future__ import annotations

import asyncio

from aiohttp import web

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.problem import Problem, problem_head
from veneer.core.redact import redacted
from veneer.fastpath.handoff import PipelineHandoff
from veneer.fastpath.hits import HitFastPath
from veneer.http1.framing import FramingFacts, framing_of
from veneer.http1.serialise import serialise
from veneer.observe.tracing import OwnSpans
from veneer.pipeline.arrival import ExchangeFactory, HeadRefusal, RequestStart, head_of
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import ExchangeRecord, Refusal
from veneer.pipeline.handle import Handler
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Policy
from veneer.policy.watch import PolicySource
from veneer.ports import Client
from veneer.server.already_sent import AlreadySent
from veneer.server.client import AiohttpClient, PlainClient
from veneer.server.limits import MalformedRequest
from veneer.server.plain import PlainRequest, read_plain
from veneer.server.ports import ConnectionHandle
from veneer.server.protocol import AiohttpProtocol

REFUSALS = {
    400: Refusal.MALFORMED,
    408: Refusal.SLOW,
    414: Refusal.HEAD_TOO_LARGE,
    431: Refusal.HEAD_TOO_LARGE,
    503: Refusal.LOAD,
}


MAX_TOLD = 1024
"""Characters of a refused target that are recorded."""
MAX_TOLD_OF_METHOD = 32


class RequestGateway:
    """The server's request callback, and its way for plain requests."""

    def __init__(
        self,
        services: Services,
        policies: PolicySource,
        ids: RequestIds | None = None,
        spans: OwnSpans | None = None,
        *,
        tls: bool = False,
    ) -> None:
        self._services = services
        self._policies = policies
        self._handler = Handler(services)
        self._scheme = "https" if tls else "http"
        self._ids = ids or RequestIds()
        self._exchanges = ExchangeFactory(services.clock, self._ids, None if spans is None else spans.enter)

    def open_fastpath(self, fastpath: HitFastPath) -> None:
        """Let the fast path send on misses, and take over what is unusual about them."""
        handoff = PipelineHandoff(self._services, self._handler, self)
        fastpath.open(handoff, handoff)

    def plain_exchange(
        self, data: bytes, client: Client, came: RequestStart, policy: Policy | None = None
    ) -> Exchange | None:
        """The exchange of a plain request; None where the bytes are none, or it is refused.

        `policy` is what it began under, None for what is in force.
        """
        policy = policy or self._policies.current
        request = read_plain(data, policy.limits.target_bytes, policy.limits.header_count)
        if request is None:
            return None
        head = head_of(request.method, request.target, request.fields, (1, 1), policy, self._scheme)
        return None if isinstance(head, HeadRefusal) else self._exchanges.exchange(head, client, policy, came)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; the response has left when this returns."""
        policy = self._policies.current
        version = (request.version.major, request.version.minor)
        wire = FramingFacts(request.method, version, bool(request.keep_alive))
        protocol = request.protocol
        assert isinstance(protocol, AiohttpProtocol)
        connection = protocol.connection
        protocol.opening = b""
        client = AiohttpClient(request, connection, wire, policy.timeouts.body_s)
        connection.on_disconnect(client)
        head = read_head(request, policy, self._scheme)
        if isinstance(head, HeadRefusal):
            connection.write(self.refuse(head.status, head.detail, client.address, request.method, raw_target(request)))
            return AlreadySent(keep_alive=False)
        await self._handler.handle(self._exchanges.exchange(head, client, policy))
        connection.on_disconnect(None)
        return AlreadySent(keep_alive=client.keep_alive)

    def begin(self, request: PlainRequest, connection: ConnectionHandle) -> asyncio.Task[None]:
        """Answer a plain request in a task of its own."""
        return self._services.tasks.start(self._answer(request, connection), "answer a plain request")

    async def _answer(self, request: PlainRequest, connection: ConnectionHandle) -> None:
        keep_alive = False
        try:
            policy = self._policies.current
            head = head_of(request.method, request.target, request.fields, (1, 1), policy, self._scheme)
            if isinstance(head, HeadRefusal):
                connection.write(
                    self.refuse(head.status, head.detail, connection.address, request.method, request.target)
                )
                return
            client = PlainClient(request.content, connection, FramingFacts(request.method, (1, 1), keep_alive=True))
            connection.on_disconnect(client)
            await self._handler.handle(self._exchanges.exchange(head, client, policy))
            keep_alive = client.keep_alive
        finally:
            connection.exchange_done(keep_alive=keep_alive)

    def malformed(self, found: MalformedRequest) -> bytes:
        """The answer to what aiohttp's parser refused."""
        detail = found.detail.splitlines()[0] if found.detail else ""
        return self.refuse(found.status, detail, found.address, found.method, found.target)

    def refuse(self, status: int, detail: str, address: str, method: str = "", target: str = "") -> bytes:
        """The bytes of a refusal, recorded; the connection closes after it (RFC 9112 section 2.2).

        `method` and `target` are as they came, as far as they could be read.
        """
        path, question, query = target[:MAX_TOLD].partition("?")
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
                method=method[:MAX_TOLD_OF_METHOD],
                path=path,
                query=redacted(query) if question else None,
                status=status,
                duration_ms=0.0,
                bytes_out=len(body),
                refused=REFUSALS.get(status, Refusal.MALFORMED),
                error=detail,
                scheme=self._scheme,
            )
        )
        wire = FramingFacts(method, (1, 1), keep_alive=False)
        if method == "HEAD":  # which never has a body (RFC 9110 section 9.3.2)
            body = b""
        return serialise(head, wire, framing_of(wire, status, len(body)), len(body)) + body


def read_head(request: web.BaseRequest, policy: Policy, scheme: str) -> RequestHead | HeadRefusal:
    """The request's head as the pipeline wants it, or why it is refused."""
    version = (request.version.major, request.version.minor)
    if "transfer-encoding" in request.headers and not request.body_exists:
        # The parser has seen no content where there is some: what follows the head is no request.
        return HeadRefusal(400, "Transfer-Encoding does not tell where the body ends")
    return head_of(request.method, raw_target(request), Fields.from_raw(request.raw_headers), version, policy, scheme)


def raw_target(request: web.BaseRequest) -> str:
    """The target as it came, as Latin-1 text."""
    return request.raw_path.encode("utf-8", "surrogateescape").decode("latin-1")
