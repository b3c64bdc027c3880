"""A fast path with its pipeline, one client and one backend on which the test answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.support.clock import ManualClock
from tests.support.policies import policy_of
from tests.unit.veneer.fastpath.line import Line
from tests.unit.veneer.observe.records import quiet_observer
from veneer.compress.codec import Codecs
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.fastpath.hits import HitFastPath
from veneer.fastpath.whole_response import WholeResponse
from veneer.http1.serialise import write_head
from veneer.limits.inflight import InFlight
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.tasks import Tasks
from veneer.main.front import RequestGateway
from veneer.pipeline.context import Services
from veneer.pipeline.exchange import ExchangeRecord
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.watch import PolicySource
from veneer.ports import Content, Demand, FirstBytesHandler, InterimSink, LeasedConnection
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog

POLICY = """
version: 1
upstreams: {backend: {url: "http://127.0.0.1:1"}}
rate_limits: {few: {key: client_ip, rate: 3/60s, burst: 3}}
routes:
  - {name: limited, match: {path: "/limited/{id}"}, rate_limit: few}
  - {name: streams, match: {path: "/streams/{id}"}, compress: {stream_over: 3KB}}
  - {name: bounded, match: {path: "/bounded/{id}"}, consistency: bounded}
  - name: edited
    match: {path: "/edited/{id}"}
    response: {set: {Server: veneer, X-Trace-Id: fixed}, add: {Link: "</a>"}, keep_tags: true, security: true}
"""
LONG = b"[" + b'{"id": 1}, ' * 200 + b"{}]"
BR = "Accept-Encoding: br"
CAME = b"HTTP/1.1 200 OK\r\nDate: %b\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%b"
DATE = b"Wed, 18 Nov 2026 11:06:40 GMT"


JSON = b"Content-Type: application/json\r\nContent-Length"


def came(body: bytes = b"body", date: bytes = DATE, *, coded: bool = False) -> bytes:
    """A response; `coded` says that its type is one that this proxy codes."""
    raw = CAME % (date, len(body), body)
    return raw.replace(b"Content-Length", JSON) if coded else raw


def response_of(head: bytes, body: bytes) -> WholeResponse:
    """What the pipeline gets of the backend."""
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
    return WholeResponse(ResponseHead(200, "OK", Fields([(name, value) for name, _, value in lines])), body)


class Backend(LeasedConnection):
    """An upstream with one connection, on which the test answers."""

    def __init__(self) -> None:
        self.target = ""
        self.free = True
        self.heads: list[bytes] = []
        self.taker: FirstBytesHandler | None = None
        self.answered = asyncio.get_running_loop().create_future()
        self.aborted = False

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        return write_head(request, "127.0.0.1:1", "", preserve_host=True, has_body=has_body).raw

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> Backend | None:
        taken, self.free = self.free, False
        return self if taken else None

    def give_back(self) -> None:
        self.free = True

    def send(
        self, request: bytes, taker: FirstBytesHandler, read_timeout_s: float | None, *, may_repeat: bool = True
    ) -> None:
        assert read_timeout_s is None
        assert may_repeat is request.startswith(b"GET ")
        self.heads.append(request)
        self.taker = taker

    def says(self, raw: bytes) -> bool:
        """The response's first bytes; whether the fast path was content with them."""
        taker, self.taker = self.taker, None
        assert taker is not None
        if taker.take(raw):
            self.free = True
            return True
        taker.pass_on()
        head, _, body = raw.partition(b"\r\n\r\n")
        self.answered.set_result(response_of(head, body))
        return False

    async def response(self, on_interim: InterimSink) -> WholeResponse:
        response: WholeResponse = await self.answered
        self.answered = asyncio.get_running_loop().create_future()
        self.free = True
        return response

    def watch(self, demand: Demand) -> None:
        self.demand = demand

    def abort(self) -> None:
        self.aborted = True

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> WholeResponse:
        raise AssertionError(request)


class Stage:
    """A fast path with its pipeline, one client and one backend."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.seen: list[ExchangeRecord] = []
        self.store = MemoryStore()
        self.log = MemoryLog(self.clock)
        self.backend = Backend()
        self.observer = quiet_observer(self.seen.append)
        self.source = PolicySource(policy_of(POLICY))
        services = Services(
            clock=self.clock,
            store=self.store,
            log=self.log,
            rates=MemoryRates(self.clock),
            codec=Codecs(),
            upstreams={"backend": self.backend},
            recorder=self.observer,
            tasks=Tasks(),
            in_flight=InFlight(2),
        )
        self.services = services
        self.made()
        services = self.services
        ids = RequestIds()
        self.fastpath = HitFastPath(services, self.source, ids, self.observer)
        RequestGateway(replace(services, hits=self.fastpath), self.source, ids).open_fastpath(self.fastpath)
        self.line = Line()
        self.handler = self.fastpath.connect(self.line, self.line.send)

    def made(self) -> None:
        """What stands behind the fast path is all there."""

    @property
    def active(self) -> int:
        return self.observer.counts.active

    def ask(self, target: str, *fields: str, method: str = "GET", content: bytes = b"") -> bool:
        """Whether the fast path takes the request."""
        length = [f"Content-Length: {len(content)}"] if content else []
        lines = [f"{method} {target} HTTP/1.1", "Host: site", *fields, *length, "", ""]
        return self.handler.answer("\r\n".join(lines).encode("latin-1") + content)

    async def teach(self, target: str = "/first", body: bytes = b"body", *fields: str, coded: bool = False) -> None:
        """Have the pipeline answer one."""
        assert self.ask(target, *fields)
        assert not self.backend.says(came(body, coded=coded))
        await self.finished()

    async def finished(self) -> None:
        """Wait for the end of an exchange, and forget what was sent."""
        await self.line.is_over.wait()
        self.line.is_over.clear()
        self.line.sent.clear()
