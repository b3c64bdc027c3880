"""Refusals of requests above the rate: made once, then repeated with another request ID while the second lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from veneer.core.field_edits import FieldEdits
from veneer.core.messages import ResponseHead
from veneer.core.rate import RateVerdict
from veneer.http1.framing import BodyFraming, FramingFacts, framing_of
from veneer.http1.serialise import serialise
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.admit import refused_by_rate
from veneer.pipeline.answer import BytesBody
from veneer.pipeline.context import Services
from veneer.pipeline.represent import proxy_lines, with_lines
from veneer.policy.model import Policy

MAX_REJECTIONS: Final = 256
_UNTAKEN_MS: Final = b"\r\nX-Response-Time: 0.000ms\r\n"


class RejectionPieces(NamedTuple):
    """A refusal: the head up to the request ID and from the response time on, and the body around its request ID."""

    before_id: bytes
    after_time: bytes
    body: tuple[bytes, bytes] | None


@dataclass(frozen=True, slots=True, eq=False)
class _LastRejection:
    """What was asked for last: who is refused comes again, and to compare is quicker than to look up."""

    target: bytes
    facts: RecordTemplate
    wait_s: int
    id_length: int
    pieces: RejectionPieces


class RejectionCache:
    """Refusals as the pipeline makes them, in pieces. They are kept for a second, for a Date is in them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._now = services.clock.now
        self._pieces: dict[tuple[bytes, RecordTemplate, int, int], RejectionPieces] = {}
        self._second = 0
        self._edits: dict[str, FieldEdits] = {}
        self._last: _LastRejection | None = None

    def reset_for_policy(self, policy: Policy) -> None:
        """Begin anew: routes may have other fields for their answers."""
        self._pieces.clear()
        self._last = None
        self._edits = {route.name: route.response for route in policy.routes}

    def pieces(
        self, facts: RecordTemplate, target: bytes, id_length: int, rate: RateVerdict, wait_s: int
    ) -> RejectionPieces:
        """The pieces for a request ID of this length, while `wait_s` (core.rate.limit_numbers) is the same."""
        now_s = int(self._now())
        last = self._last
        if (
            last is not None
            and now_s == self._second
            and facts is last.facts
            and wait_s == last.wait_s
            and id_length == last.id_length
            and target == last.target
        ):
            return last.pieces
        if now_s != self._second or len(self._pieces) >= MAX_REJECTIONS:
            self._pieces.clear()
            self._second = now_s
        key = (target, facts, wait_s, id_length)  # facts name the route of one policy, and so its limit
        pieces = self._pieces.get(key)
        if pieces is None:
            pieces = self._pieces[key] = self._rejection(facts, target.decode("ascii"), "~" * id_length, rate)
        self._last = _LastRejection(target, facts, wait_s, id_length, pieces)
        return pieces

    def _rejection(self, facts: RecordTemplate, target: str, placeholder_id: str, rate: RateVerdict) -> RejectionPieces:
        answer = refused_by_rate(target, placeholder_id, rate)
        assert isinstance(answer.body, BytesBody)
        via, now = self._services.via, self._services.clock.now()
        own = answer.head
        edited = ResponseHead(own.status, own.reason, self._edits[facts.route].apply(own.fields))
        lines = proxy_lines(edited.fields, answer.cache, placeholder_id, 0.0, rate, via=via, now=now)
        head = with_lines(edited, lines)
        wire, data = FramingFacts(facts.method, (1, 1), keep_alive=True), answer.body.data
        framing = framing_of(wire, head.status, len(data))
        raw = placeholder_id.encode("ascii")
        before_id, after_time = serialise(head, wire, framing, len(data)).split(raw + _UNTAKEN_MS)
        if framing is not BodyFraming.LENGTH:
            return RejectionPieces(before_id, after_time, None)
        # Quotes within a text are escaped, so that no target can look like this member.
        before, after = data.split(b'"request_id": "%b"' % raw)
        return RejectionPieces(before_id, after_time, (b'%b"request_id": "' % before, b'"%b' % after))
