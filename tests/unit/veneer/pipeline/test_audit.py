from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import cast

import pytest

from tests.support.clock import ManualClock
from tests.support.entries import stored
from veneer.compress.codec import Codecs
from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.forwarding import Peer
from veneer.core.invalidation import Invalidation
from veneer.core.messages import RequestHead, ResponseHead
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.tasks import Tasks
from veneer.pipeline.audit import MAX_AT_ONCE, Auditor
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import Audit, ExchangeRecord
from veneer.policy.load import parse_policy
from veneer.ports import ByteSink, Client, Content, Demand, InterimSink, Tunnel, UpstreamError, UpstreamFailure
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog


class Said:
    """An UpstreamResponse that is there at once."""

    content_length: int | None = None
    trailers = Fields()
    tunnel: Tunnel | None = None

    def __init__(self, body: bytes, status: int, fields: Fields) -> None:
        self.head = ResponseHead(status, "", fields)
        self.closed = False
        self._body = body

    async def body(self) -> AsyncIterator[bytes]:
        yield self._body

    async def stream_into(self, sink: ByteSink) -> None:
        sink.write_now((self._body,))

    async def aclose(self) -> None:
        self.closed = True


class Backend:
    """An Upstream that says the same to everybody."""

    def __init__(self, body: bytes = b"hello", status: int = 200, *fields: tuple[str, str]) -> None:
        self.said = Said(body, status, Fields(fields))
        self.asked: list[RequestHead] = []
        self.failure: UpstreamError | None = None

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> Said:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        return self.said

    def head_bytes(self, request: RequestHead) -> bytes:
        raise AssertionError(request)

    def lease_now(self, now_s: float) -> None:
        return


class Records:
    """A Recorder that keeps audits."""

    def __init__(self) -> None:
        self.audits: list[Audit] = []

    def begin(self) -> None:
        return

    def finish(self, record: ExchangeRecord) -> None:
        raise AssertionError(record)

    def audited(self, audit: Audit) -> None:
        self.audits.append(audit)


class Bench:
    """An auditor over one backend, with all a test wants to see."""

    def __init__(self, backend: Backend, share: float = 1.0) -> None:
        clock = ManualClock()
        self.backend, self.records, self.tasks, self.log = backend, Records(), Tasks(), MemoryLog(clock)
        self.slept = 0.0
        self.while_asleep: Invalidation | None = None
        services = Services(
            clock=clock,
            store=MemoryStore(),
            log=self.log,
            rates=MemoryRates(clock),
            codec=Codecs(),
            upstreams={"backend": backend},
            recorder=self.records,
            tasks=self.tasks,
        )
        self.auditor = Auditor(services, self.sleep)
        self.policy = parse_policy(f"routes: [{{name: r, match: {{path: /x}}, audit_share: {share}}}]", "p")
        self.entry = stored(self.log.position, "user:1")

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.while_asleep is not None:
            await self.log.append(self.while_asleep, strict=True)

    def hit(self, method: str = "GET", entry: Entry | None = None) -> None:
        request = RequestHead(method, "/x", None, "site", Fields([("If-None-Match", '"a"')]))
        client = cast("Client", None)  # nothing is said to a client by an audit
        match = self.policy.match(method, "/x")
        exchange = Exchange(request, client, self.policy, match, "id", Peer("10.0.0.1", False), "10.0.0.1", 0.0, 0.0)
        self.auditor.consider(exchange, request, entry or self.entry)

    async def audits(self) -> list[Audit]:
        while len(self.tasks):
            await _turn()
        return self.records.audits


async def _turn() -> None:
    await asyncio.sleep(0)


async def test_an_equal_answer_is_counted_as_the_same() -> None:
    bench = Bench(Backend())
    bench.hit()
    assert await bench.audits() == [Audit("r", differs=False)]
    assert bench.backend.said.closed
    assert "if-none-match" not in bench.backend.asked[0].fields, "a fresh response is wanted, whole"


async def test_a_difference_that_nothing_explains_is_logged_with_its_tags(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Backend(b"changed", 200, ("Surrogate-Key", "user:2")))
    with caplog.at_level(logging.WARNING):
        bench.hit()
        assert await bench.audits() == [Audit("r", differs=True)]
    assert "/x changed without an invalidation; it has the tags user:1, the fresh response user:2" in caplog.text


async def test_a_difference_that_an_invalidation_explains_is_none() -> None:
    bench = Bench(Backend(b"changed"))
    bench.while_asleep = Invalidation(tags=("user:1",))
    bench.hit()
    assert await bench.audits() == []
    assert bench.slept > 2, "longer than a lease, so that the invalidation of a write under way has arrived"


async def test_strong_etags_of_the_origin_are_compared_instead_of_bodies() -> None:
    bench = Bench(Backend(b"another spelling", 200, ("ETag", '"v1"')))
    entry = bench.entry
    kept = Entry(200, "OK", Fields([("ETag", '"v1"')]), entry.body, 0.0, 0.0, entry.uri, entry.born)
    bench.hit(entry=kept)
    assert await bench.audits() == [Audit("r", differs=False)]


@pytest.mark.parametrize("backend", [Backend(b"", 503), Backend(b"x" * 20_000_000)])
async def test_what_cannot_be_compared_is_not_counted(backend: Backend) -> None:
    bench = Bench(backend)
    bench.hit()
    assert await bench.audits() == []


async def test_a_backend_that_is_away_ends_an_audit_quietly() -> None:
    backend = Backend()
    backend.failure = UpstreamError(UpstreamFailure.CONNECT, "refused", sent=False)
    bench = Bench(backend)
    bench.hit()
    assert await bench.audits() == []


async def test_a_share_is_taken_evenly() -> None:
    bench = Bench(Backend(), share=0.25)
    for _ in range(40):
        bench.hit()
        await bench.audits()
    assert len(bench.records.audits) == 10


async def test_only_a_few_audits_run_at_once() -> None:
    bench = Bench(Backend())
    for _ in range(3 * MAX_AT_ONCE):
        bench.hit()
    assert len(await bench.audits()) == MAX_AT_ONCE


async def test_only_whole_answers_to_get_are_audited() -> None:
    bench = Bench(Backend())
    bench.hit("HEAD")
    Bench(Backend(), share=0.0).hit()
    assert await bench.audits() == []
