"""Refusals of requests above the rate: made once, then repeated with another request ID while the second lasts."""

from __future__ import annotations

from typing import NamedTuple

from proxy.app.observe.repeats import Facts
from proxy.app.server.wire import BodyFraming, framing_of, serialise
from proxy.app.server.wire import Exchange as WireExchange
from proxy.core.rate import RateVerdict
from proxy.pipeline.admit import refused_by_rate
from proxy.pipeline.answer import BytesBody
from proxy.pipeline.context import Services
from proxy.pipeline.dress import dress

MAX_KEPT = 256
_UNTAKEN_MS = b"\r\nX-Response-Time: 0.000ms\r\n"


class Pieces(NamedTuple):
    """A refusal: the head up to the request ID and from the response time on, and the body around its request ID."""

    before_id: bytes
    after_time: bytes
    body: tuple[bytes, bytes] | None


class Refusals:
    """Refusals as the pipeline makes them, in pieces. They are kept for a second, for a Date is in them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: dict[tuple[bytes, Facts, int, int], Pieces] = {}
        self._second = 0

    def pieces(self, facts: Facts, target: bytes, id_length: int, rate: RateVerdict, wait_s: int) -> Pieces:
        """The pieces for a request ID of this length, while `wait_s` (core.rate.limit_numbers) is the same."""
        now = int(self._services.clock.now())
        if now != self._second or len(self._kept) >= MAX_KEPT:
            self._kept.clear()
            self._second = now
        key = (target, facts, wait_s, id_length)  # facts name the route of one policy, and so its limit
        pieces = self._kept.get(key)
        if pieces is None:
            pieces = self._kept[key] = self._made(facts.method, target.decode("ascii"), "~" * id_length, rate)
        return pieces

    def _made(self, method: str, target: str, mark: str, rate: RateVerdict) -> Pieces:
        answer = refused_by_rate(target, mark, rate)
        assert isinstance(answer.body, BytesBody)
        via, now = self._services.via, self._services.clock.now()
        head = dress(answer.head, answer.cache, mark, 0.0, rate, via=via, now=now)
        wire, data = WireExchange(method, (1, 1), keep_alive=True), answer.body.data
        framing = framing_of(wire, head.status, len(data))
        octets = mark.encode("ascii")
        before_id, after_time = serialise(head, wire, framing, len(data)).split(octets + _UNTAKEN_MS)
        if framing is not BodyFraming.LENGTH:
            return Pieces(before_id, after_time, None)
        # Quotes within a text are escaped, so that no target can look like this member.
        before, after = data.split(b'"request_id": "%b"' % octets)
        return Pieces(before_id, after_time, (b'%b"request_id": "' % before, b'"%b' % after))
