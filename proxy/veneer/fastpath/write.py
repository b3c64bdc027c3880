"""One request that is not safe, sent by the fast path, until it is answered here or by the pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from veneer.core.forwarding import AGE_DELAY_S
from veneer.core.messages import ResponseHead
from veneer.core.rate import RateVerdict
from veneer.fastpath.exchange import FastExchange, FastRequest
from veneer.fastpath.replies import FoundReply
from veneer.fastpath.response_shapes import MAX_BODY_BYTES
from veneer.fastpath.template_cache import SampleSource
from veneer.fastpath.write_templates import PolicedWrite, WriteTemplate
from veneer.pipeline.context import Services
from veneer.pipeline.invalidations import is_strict, named_by, settles_s
from veneer.policy.model import Route
from veneer.ports import LeasedConnection, Receipt


class WritePipeline(SampleSource, Protocol):
    """What writes need of the normal way."""

    def resume_write(self, write: FastWrite) -> None:
        """Answer what the fast path has sent on, from the response on."""
        ...


class WriteServices:
    """What all writes have to do with: the log, which is `local` where nobody else has one, and the pipeline."""

    def __init__(self, services: Services, pipeline: WritePipeline) -> None:
        self.log = services.log
        self.local = services.log.local
        self.recorder = services.recorder
        self.in_flight = services.in_flight
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.pipeline = pipeline

    def may_send(self, route: Route) -> bool:
        """Whether a write there may be sent without waiting until others know that one is under way."""
        return self.local is not None or self.log.may_write_now(route.unheard_s, strict=is_strict(route))


class FastWrite(FastExchange):
    """A request that is not safe, with its `content`; `born` is the log's position before it was sent.

    Once it is sent nobody gives it up: what the backend did must be known here. `announced` says that the log has to be
    told of its end. Where others have to know what it has changed, the response waits for that. `receipt` says what
    became of it, where the pipeline has to answer.
    """

    __slots__ = (
        "_awaited",
        "_found",
        "_services",
        "_shared",
        "_upstream_us",
        "announced",
        "born",
        "content",
        "done",
        "policy",
        "receipt",
        "template",
    )

    def __init__(
        self,
        services: WriteServices,
        request: FastRequest,
        template: WriteTemplate,
        policed: PolicedWrite,
        content: bytes,
    ) -> None:
        super().__init__(request, template, policed.match, policed.wanted)
        self._services = services
        self.template: Final = template
        self.policy: Final = policed.policy
        self.content: Final = content
        self.done: Final = policed.done
        self.bytes_in = len(content)
        self.announced = False
        self.receipt: Receipt | None = None
        self._found: FoundReply | None = None
        self._awaited = self._upstream_us = 0
        self._shared = True

    def send(self, lease: LeasedConnection, rate: RateVerdict | None, started_s: float) -> None:
        """Ask the backend, now that the rate admits it."""
        services, request, template = self._services, self.request, self.template
        services.recorder.begin()
        services.in_flight.take()
        self.begin(rate, started_s, services.now())
        if self.done and services.local is None:
            services.log.begin_write_now(self.match.route.unheard_s)
            self.announced = True
        self.lease = lease
        self.born = services.log.position
        head = template.head(request.values, request.request_id)
        lease.send(head + self.content, self, template.read_timeout_s, may_repeat=False)

    def leave(self) -> None:
        """The client has gone."""
        self.client_gone = True

    def ended(self) -> bool:
        """The client sends no more, and may have gone: the pipeline answers."""
        return True

    def cancel(self) -> None:
        """The proxy stops and waits no longer, be it for others to know what was changed: nobody is answered then."""
        if self._found is None:
            self.lease.abort()
        elif self.receipt is None:
            self.client_gone = True
            self._end(Receipt(self._services.log.position, (), (), 0.0, shared=False))

    def pass_on(self) -> None:
        """Leave the rest to the pipeline."""
        self.template.note(answered=False)
        self._services.pipeline.resume_write(self)

    def take(self, raw: bytes) -> bool:
        """Make known what the write has changed, and answer, if the response is like one that was answered before."""
        self.first_bytes = raw
        services = self._services
        now_s = services.monotonic()
        if not self._may_answer(now_s):
            return False
        found = self.template.replies.find(raw)
        if found is None or not _is_whole(found):
            return False
        head = found.shape.unnaming or _head_of(found)
        settling_s = settles_s(self.match.route, head)
        events = named_by(self.policy, self.match, self.wanted, head, self.done)
        self._upstream_us = int((now_s - self.started_s) * 1e6 + 0.5)
        self.template.note(answered=True)
        local = services.local
        if local is not None:
            for event in events:
                local.append_now(event, settling_s)
        elif events:
            strict = is_strict(self.match.route)
            self._found = found
            self._awaited = len(events)
            heard = self._known if strict else _whenever
            for event in events:
                services.log.append_soon(event, heard, strict=strict, settles_s=settling_s)
            if strict:
                return True
        self._answer(found)
        return True

    def came(self) -> tuple[ResponseHead, bytes]:
        """The response for which there is a receipt, and its body."""
        found, raw = self._found, self.first_bytes
        assert found is not None
        return _head_of(found), raw[len(raw) - found.came_bytes :]

    def _may_answer(self, now_s: float) -> bool:
        """Whether what has been learned to say is right: it tells neither a long delay nor that the connection ends."""
        return not (self.client_gone or self.connection.is_last or now_s - self.started_s >= AGE_DELAY_S)

    def _known(self, receipt: Receipt) -> None:
        """One of its events is known to all who have to know, or could not be shared."""
        if self.receipt is not None:
            return
        self._shared = self._shared and receipt.shared
        self._awaited -= 1
        if self._awaited:
            return
        found = self._found
        if self._shared and found is not None and self._may_answer(self._services.monotonic()):
            self._answer(found)
        else:
            self._end(receipt if receipt.shared == self._shared else replace(receipt, shared=False))

    def _end(self, receipt: Receipt) -> None:
        """Have the pipeline say what there is to say."""
        self.receipt = receipt
        self._services.pipeline.resume_write(self)

    def _answer(self, found: FoundReply) -> None:
        services, raw = self._services, self.first_bytes
        reply, shape, values, size = found
        values.append(b"" if shape.etag < 0 else values[shape.etag])
        self.request.answering.answer_sent(self, reply, values, raw[len(raw) - size :], 0, self._upstream_us)
        if self.announced:
            services.log.end_write()
        services.in_flight.give_back()
        self.connection.exchange_done(keep_alive=True)


def _whenever(_: Receipt) -> None:
    """Nobody waits until the others know."""


def _head_of(found: FoundReply) -> ResponseHead:
    shape = found.shape
    return ResponseHead(shape.status, shape.reason, shape.fields(found.values))


def _is_whole(found: FoundReply) -> bool:
    """Whether a body that may be answered here is all there, and followed by nothing."""
    shape, size = found.shape, found.came_bytes
    if shape.status == 204:
        return size == 0
    return size <= MAX_BODY_BYTES and shape.length >= 0 and found.values[shape.length] == b"%d" % size
