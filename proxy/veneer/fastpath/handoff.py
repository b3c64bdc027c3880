"""From the fast path back to the pipeline: what a miss looks like there, and how it ends there."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from veneer.fastpath.exchange import FastExchange
from veneer.fastpath.miss import FastMiss
from veneer.fastpath.whole_response import WholeResponse
from veneer.fastpath.write import FastWrite
from veneer.http1.framing import FramingFacts
from veneer.pipeline.arrival import RequestStart
from veneer.pipeline.begun import AdmittedMiss, FollowedMiss, SentMiss, SentWrite
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.handle import Handler
from veneer.pipeline.made import FetchedResponse
from veneer.pipeline.plan import CacheLookup, Plan, plan_of
from veneer.policy.model import Policy
from veneer.ports import Client, SentTo
from veneer.server.client import ClientTransport, PlainClient
from veneer.server.ports import ConnectionHandle

GET = FramingFacts("GET", (1, 1), keep_alive=True)


class MissClient(PlainClient):
    """As any client whose request came whole; it remembers with what the fast path began."""

    __slots__ = ("miss",)

    def __init__(self, miss: FastMiss, transport: ClientTransport) -> None:
        super().__init__(b"", transport, GET)
        self.miss = miss


class UnsentClient(MissClient):
    """The same where nothing was sent: what a look-up has found is answered by the pipeline, which teaches how."""

    __slots__ = ()


class WriteClient(PlainClient):
    """The same for a request that is not safe."""

    __slots__ = ("write",)

    def __init__(self, write: FastWrite, transport: ClientTransport) -> None:
        super().__init__(write.content, transport, FramingFacts(write.template.method, (1, 1), keep_alive=True))
        self.write = write


class ExchangeSource(Protocol):
    """The server's way into the pipeline (veneer.main.front)."""

    def plain_exchange(
        self, data: bytes, client: Client, came: RequestStart, policy: Policy | None = None
    ) -> Exchange | None:
        """The exchange of a plain request; None where the bytes are none, or it is refused.

        `policy` is what it began under, None for what is in force.
        """
        ...


class PipelineHandoff:
    """Implements the fast path's `Pipeline` and `WritePipeline`."""

    def __init__(self, services: Services, handler: Handler, source: ExchangeSource) -> None:
        self._services = services
        self._handler = handler
        self._source = source

    def sample(self, data: bytes, connection: ConnectionHandle, request_id: str) -> Exchange | None:
        """The exchange that the normal way would make of a request; None where it would refuse that."""
        clock = self._services.clock
        return self._source.plain_exchange(
            data, PlainClient(b"", connection, GET), RequestStart(request_id, clock.now(), clock.monotonic())
        )

    def resume(self, miss: FastMiss) -> None:
        """Answer what the fast path has sent on, from the response on, in a task of its own."""
        self._services.tasks.start(self._answer(miss), "answer a miss")

    def restart(self, miss: FastMiss) -> None:
        """Answer what the fast path has admitted and not sent, in a task: from the look-up on, or its flight."""
        self._services.tasks.start(self._answer_unsent(miss), "answer a miss that was looked up")

    async def _answer_unsent(self, miss: FastMiss) -> None:
        client = UnsentClient(miss, miss.connection)
        flight = miss.follows
        begun: AdmittedMiss | FollowedMiss = AdmittedMiss(miss.rate)
        try:
            exchange = self._taken_over(miss, client, _policy_of(miss))
            if flight is not None:
                begun = FollowedMiss(self._plan(miss, exchange), miss.template.decision, miss.rate, flight)
            await self._handler.handle(exchange, begun)
        finally:
            if flight is not None:
                flight.leave()
            miss.connection.exchange_done(keep_alive=client.keep_alive)

    def resume_write(self, write: FastWrite) -> None:
        """As `resume`."""
        self._services.tasks.start(self._answer_write(write), "answer a write")

    async def _answer(self, miss: FastMiss) -> None:
        miss.lease.watch(miss.flight)
        client = MissClient(miss, miss.connection)
        try:
            client.detach()  # what was sent goes on, as any flight does
            exchange = self._taken_over(miss, client, _policy_of(miss))
            await self._handler.handle(exchange, self._begun(miss, exchange))
        finally:
            miss.connection.exchange_done(keep_alive=client.keep_alive)

    async def _answer_write(self, write: FastWrite) -> None:
        client = WriteClient(write, write.connection)
        try:
            client.detach()
            response = write.lease.response(write.interim) if write.receipt is None else _as_it_came(write)
            begun = SentWrite(write.rate, write.born, response, write.announced, write.receipt)
            await self._handler.handle(self._taken_over(write, client, write.policy), begun)
        finally:
            write.connection.exchange_done(keep_alive=client.keep_alive)

    def _taken_over(self, begun: FastExchange, client: PlainClient, policy: Policy | None) -> Exchange:
        """The exchange of what was begun; `policy` is that under which it was, or None for the one in force.

        What it has proven then counts to its end, as it does in the pipeline.
        """
        begun.connection.on_disconnect(client)
        if begun.client_gone:
            client.leave()
        if begun.request.sample is not None:
            return replace(begun.request.sample, client=client, received=begun.received, started_s=begun.started_s)
        came = RequestStart(begun.request.request_id.decode("ascii"), begun.received, begun.started_s)
        exchange = self._source.plain_exchange(begun.request.data, client, came, policy)
        assert exchange is not None, "what was a sample for others is a plain request"
        return exchange if begun.match.identity is None else replace(exchange, match=begun.match)

    def _begun(self, miss: FastMiss, exchange: Exchange) -> SentMiss:
        plan = self._plan(miss, exchange)
        return SentMiss(plan, miss.template.decision, miss.rate, miss.flight, self._fetched(miss))

    def _plan(self, miss: FastMiss, exchange: Exchange) -> Plan:
        looked = CacheLookup(cache_request(exchange), miss.key)
        return plan_of(exchange, looked, miss.template.decision, self._services.instance)

    async def _fetched(self, miss: FastMiss) -> FetchedResponse:
        response = await miss.lease.response(miss.interim)
        clock = self._services.clock
        upstream_ms = (clock.monotonic() - miss.sent_s) * 1000
        return FetchedResponse(response, miss.received, clock.now(), miss.born, upstream_ms)


def _policy_of(miss: FastMiss) -> Policy | None:
    """That under which a miss goes on: its own where it has an identity, which is one by that policy's words."""
    return None if miss.match.identity is None else miss.template.policy


async def _as_it_came(write: FastWrite) -> WholeResponse:
    """The response to a write that was read already."""
    target = write.lease.target
    return WholeResponse(*write.came(), SentTo(target, 1) if target else None)
