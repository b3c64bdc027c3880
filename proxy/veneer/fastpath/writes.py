"""The fast path's way for requests that are not safe: sent on at once, and answered as others like them were.

Where others share the log, one is sent only while they know already that a write of this node may be under way.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from veneer.core.messages import ResponseHead
from veneer.core.outcome import Forward, Reason
from veneer.core.target import normal_target
from veneer.fastpath.exchange import FastRequest
from veneer.fastpath.handoff import WriteClient
from veneer.fastpath.identified import FastIdentifier
from veneer.fastpath.pattern import Values
from veneer.fastpath.replies import AnsweredMiss
from veneer.fastpath.response_shapes import OF_WRITES
from veneer.fastpath.scan import HeadShape, Scanner, write_scanner
from veneer.fastpath.template_cache import TemplateCache
from veneer.fastpath.write import FastWrite, WritePipeline, WriteServices
from veneer.fastpath.write_templates import PolicedWrite, WriteTemplate, write_template
from veneer.http1.framing import BodyFraming, FramingFacts, framing_of
from veneer.http1.grammar import HEAD_END, MAX_PLAIN_HEAD_BYTES
from veneer.http1.serialise import serialise
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import CacheResult
from veneer.pipeline.invalidations import done_by
from veneer.policy.model import Policy


class ReadWrite:
    """A request that is not safe as it was read: its head's shape and values, and its content."""

    __slots__ = ("content", "shape", "values")

    def __init__(self, shape: HeadShape, values: Values, content: bytes) -> None:
        self.shape: Final = shape
        self.values: Final = values
        self.content: Final = content


class WriteFastPath:
    """Sends on what the policy admits; everything decided about it is decided by the pipeline's functions."""

    def __init__(self, services: Services, pipeline: WritePipeline, policy: Policy) -> None:
        self._shared = WriteServices(services, pipeline)
        self._identifier = FastIdentifier(services)
        self._templates = TemplateCache[WriteTemplate](pipeline, partial(write_template, services))
        self._scanner = Scanner()
        self.reset(policy)

    def __len__(self) -> int:
        return len(self._templates)

    def reset(self, policy: Policy) -> None:
        """Begin anew under another policy."""
        self._templates.clear()
        self._scanner = write_scanner(policy.limits.head_bytes, policy.limits.header_count)

    def read(self, data: bytes, last: HeadShape | None) -> ReadWrite | None:
        """The request in `data` if that is exactly one plain one; `last` is the shape of the connection's last."""
        shape = last
        values = None if shape is None else shape.match_beginning(data)
        if shape is None or values is None:
            end = data.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES) + len(HEAD_END)
            found = self._scanner.scan(data[:end]) if end >= len(HEAD_END) else None
            if found is None:
                return None
            shape, values = found
        else:
            end = shape.stop
        content = data[end:]
        announced = values[shape.content_length] if shape.content_length else b""
        if not shape.unconditional or announced != (b"%d" % len(content) if content else b""):
            return None
        return ReadWrite(shape, values, content)

    def prepare(
        self, request: FastRequest, content: bytes, last: WriteTemplate | None, policy: Policy
    ) -> FastWrite | None:
        """What to send for the request; None where that is for the pipeline.

        `last` is the template of the connection's last write, most often that of this one too.
        """
        template, policed = last, None
        if last is not None and last.shape is request.shape and last.last_target == request.values[0]:
            policed = last.last  # under this policy: a connection forgets its template with the one before
        if policed is None:
            template = self._judge(request, last, policy)
            policed = None if template is None else template.last
        if template is None or policed is None or self._shared.in_flight.full:
            return None
        if len(content) > template.most_bytes or not template.is_worth_trying():
            return None
        if policed.done and not self._shared.may_send(template.route):
            return None
        return FastWrite(self._shared, request, template, policed, content)

    def _judge(self, request: FastRequest, last: WriteTemplate | None, policy: Policy) -> WriteTemplate | None:
        """The template of a request, whose `last` it is then."""
        raw = request.values[0]
        target = normal_target(raw)
        if target is None or len(raw) > policy.limits.target_bytes:
            return None
        path, query = target
        found = policy.matcher.match(request.shape.method, path, query)
        match = self._identifier.identified(policy, found, request.shape, request.values)
        template = None if match is None else self._templates.template(request, match, found.route, last)
        if template is None or match is None:
            return None
        wanted = template.wanted(path, query)
        template.last_target = raw if match.identity is None else b""  # the next one may be somebody else's
        template.last = PolicedWrite(policy, match, wanted, done_by(policy, match, wanted))
        return template

    def learn(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int | None) -> None:
        """See how the pipeline has answered a write: the next response like this one is answered so here."""
        client, cache = exchange.client, answer.cache
        if not isinstance(client, WriteClient) or head.status not in OF_WRITES.statuses:
            return
        if answer.use is not CacheResult.BYPASS or cache.forward is not Forward.METHOD or cache.stored:
            return
        # Such a response to POST may be stored for later GETs (RFC 9110 section 9.3.3).
        if cache.detail != Reason.METHOD.value or "content-location" in answer.head.fields.joined:
            return
        method, write = exchange.request.method, client.write
        wire = FramingFacts(method, (1, 1), keep_alive=True)
        framing = framing_of(wire, head.status, length)
        if framing is BodyFraming.CHUNKED or framing is BodyFraming.CLOSE:
            return
        facts = RecordTemplate(
            method,
            exchange.match.route.name,
            head.status,
            cache=CacheResult.BYPASS,
            cache_forward=cache.forward.value,
            cache_reason=cache.detail,
            scheme=exchange.request.scheme,
        )
        served = serialise(head, wire, framing, length)
        write.template.replies.learn(AnsweredMiss(write.first_bytes, served, Reason.METHOD.value, ""), facts)
