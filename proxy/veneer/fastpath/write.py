"""One request that is not safe, sent by the fast path, until it is answered here or by the pipeline."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from veneer.core.forwarding import AGE_DELAY_S
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.rate import RateVerdict
from veneer.fastpath.exchange import FastExchange, FastRequest
from veneer.fastpath.miss import MAX_BODY_BYTES
from veneer.fastpath.replies import FoundReply
from veneer.fastpath.template_cache import SampleSource
from veneer.fastpath.write_templates import WriteTemplate
from veneer.pipeline.context import Services
from veneer.pipeline.invalidations import Events, named_by, settles_s
from veneer.policy.model import Match, Policy
from veneer.ports import LeasedConnection, LocalLog


class WritePipeline(SampleSource, Protocol):
    """What writes need of the normal way."""

    def resume_write(self, write: FastWrite) -> None:
        """Answer what the fast path has sent on, from the response on."""
        ...


class WriteServices:
    """What all writes have to do with: the log, of which nobody else has to be told, and the pipeline."""

    def __init__(self, services: Services, log: LocalLog, pipeline: WritePipeline) -> None:
        self.log = log
        self.recorder = services.recorder
        self.in_flight = services.in_flight
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.pipeline = pipeline


class PolicedWrite(NamedTuple):
    """A write as its policy sees it; `done` is what it invalidates if its response names nothing."""

    policy: Policy
    match: Match
    wanted: RequestHead
    done: Events


class FastWrite(FastExchange):
    """A request that is not safe, with its `content`; `born` is the log's position before it was sent.

    Once it is sent nobody gives it up: what the backend did must be known here.
    """

    __slots__ = ("_services", "born", "content", "done", "policy", "template")

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

    def send(self, lease: LeasedConnection, rate: RateVerdict | None, started_s: float) -> None:
        """Ask the backend, now that the rate admits it."""
        services, request, template = self._services, self.request, self.template
        services.recorder.begin()
        services.in_flight.take()
        self.begin(rate, started_s, services.now())
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

    def pass_on(self) -> None:
        """Leave the rest to the pipeline."""
        self.template.note(answered=False)
        self._services.pipeline.resume_write(self)

    def take(self, raw: bytes) -> bool:
        """Make known what the write has changed, and answer, if the response is like one that was answered before."""
        self.first_bytes = raw
        services = self._services
        now_s = services.monotonic()
        if self.client_gone or self.connection.is_last or now_s - self.started_s >= AGE_DELAY_S:
            return False
        found = self.template.replies.find(raw)
        if found is None or not _is_whole(found):
            return False
        reply, shape, values, size = found
        head = ResponseHead(shape.status, shape.reason, shape.fields(values))
        settling_s = settles_s(self.match.route, head)
        for event in named_by(self.policy, self.match, self.wanted, head, self.done):
            services.log.append_now(event, settling_s)
        body = raw[len(raw) - size :]
        values.append(b"" if shape.etag < 0 else values[shape.etag])
        self.request.answer(self, reply, values, body, 0, int((now_s - self.started_s) * 1e6 + 0.5))
        self.template.note(answered=True)
        services.in_flight.give_back()
        self.connection.exchange_done(keep_alive=True)
        return True


def _is_whole(found: FoundReply) -> bool:
    """Whether a body that may be answered here is all there, and followed by nothing."""
    shape, size = found.shape, found.came_bytes
    if shape.status == 204:
        return size == 0
    return size <= MAX_BODY_BYTES and shape.length >= 0 and found.values[shape.length] == b"%d" % size
