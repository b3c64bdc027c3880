"""One connection's side of the fast path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from veneer.core.address import client_network
from veneer.core.rate import RateLimit, RateVerdict, client_key, limit_numbers
from veneer.fastpath.marks import fingerprint_at
from veneer.fastpath.pattern import Values, is_printable_ascii
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.spots import HeadTemplate, HotEntry, VariantReply
from veneer.observe.repeats import NONE, CompactRecord, RecordTemplate
from veneer.pipeline.represent import millis
from veneer.pipeline.request_ids import accepted
from veneer.server.quick import FastPathHandler

if TYPE_CHECKING:
    from veneer.fastpath.hits import HitFastPath
    from veneer.fastpath.miss import FastMiss
    from veneer.fastpath.replies import ResponseTemplate
    from veneer.fastpath.ways import UpstreamTemplate
    from veneer.server.link import ConnectionHandle

Write = Callable[[list[bytes]], None]
"""Queues bytes in pieces; the list is no longer the caller's."""


_ID: Final = b"\r\nX-Request-ID: "
_MICROS: Final = [millis(us).encode("ascii").removeprefix(b"0") + b"\r\n" for us in range(1000)]
"""How X-Response-Time ends, from the decimal point on."""
_TOOK: Final = [b"\r\nX-Response-Time: 0" + end for end in _MICROS]


class FastPathConnection(FastPathHandler):
    """Answers on one connection. It remembers the shape of the client's last head and parts of the last answer."""

    __slots__ = (
        "_aged_from",
        "_backlog_us",
        "_foreseen_values",
        "_fresh_until",
        "_head_prefix",
        "_keys",
        "_limit",
        "_limit_text",
        "_own",
        "_policy",
        "_prefetched",
        "_prefix_valid_until",
        "_remaining",
        "_shape",
        "_wording",
        "address",
        "check",
        "fastpath",
        "hashed",
        "link",
        "way",
        "write",
    )

    def __init__(self, fastpath: HitFastPath, link: ConnectionHandle, write: Write) -> None:
        self.fastpath = fastpath
        self.link = link
        self.address = link.address
        self.write = write
        self.way: UpstreamTemplate | None = None
        """How the last request that was sent on went to the backend."""
        self._policy = fastpath.policy
        self._shape: HeadShape | None = None
        self._keys: dict[str, str] = {}
        self._head_prefix = self._own = b""
        self._wording: HeadTemplate | None = None
        self._aged_from = self._fresh_until = self._prefix_valid_until = 0.0
        self._limit: RateLimit | None = None
        self._backlog_us = self._remaining = 0
        self._limit_text = b""
        self._prefetched = b""
        self._foreseen_values: Values | None = None
        self.hashed: i64 = 0
        self.check: i64 = 0

    def prefetch(self, data: bytes) -> bool:
        """Read the request that is to be answered next; whether it is plain, and then its marks."""
        self._prefetched = data
        values = self._foreseen_values = self._read(data)
        shape = self._shape
        if values is None or shape is None:
            return False
        self.hashed, self.check = fingerprint_at(shape.host, shape.host_hashed, values[0])
        return True

    def answer(self, data: bytes) -> bool:
        """Answer and record the one request in `data`; False, and nothing done, when it has to take the normal way."""
        fastpath = self.fastpath
        if data is not self._prefetched or self._policy is not fastpath.policies.current:
            self.prefetch(data)
        values = self._foreseen_values
        self._prefetched = b""
        self._foreseen_values = None  # What a client has sent is kept for no longer than it takes.
        shape = self._shape
        if values is None or shape is None:
            return False
        spot = fastpath.spots.get(self.hashed, self.check)
        if spot is None:
            return self._bar(shape, values) or self._miss(shape, values, data)
        now_s = fastpath.monotonic()
        form = spot.reply_for(shape.wishes if shape.unconditional else shape.wishes_in(values))
        if form is None or (shape.credentials and not spot.for_all) or not spot.holds(fastpath.log, now_s):
            return False
        request_id = self._request_id(shape, values)
        if request_id is None:
            return False
        common = form.wording.common
        limit = common.limit
        if limit is None:
            rate = None
        else:
            rate = fastpath.rates.admit_now(self.rate_key(common.counted_as, limit), limit, now_s)
            if rate is None:
                return False
        if rate is None or rate.allowed:
            self._serve(spot, form, shape, values[0], request_id, now_s, rate)
        else:
            self.refuse(fastpath.refusal_facts(shape.method, common.route), shape, values[0], request_id, now_s, rate)
        return True

    def _read(self, data: bytes) -> Values | None:
        """The request's values, of the shape that is then the last; None when it is not plain."""
        fastpath = self.fastpath
        if fastpath.policies.current is not fastpath.policy:
            fastpath.renew()
        if self._policy is not fastpath.policy:
            self._policy, self._shape, self.way = fastpath.policy, None, None
            self._keys.clear()
        shape = self._shape
        if shape is not None and len(data) <= fastpath.scanner.max_bytes:
            values = shape.match_head(data)
            if values is not None:
                return values
        read = fastpath.scanner.scan(data)
        if read is None:
            return None
        self._shape = read[0]
        return read[1]

    def _request_id(self, shape: HeadShape, values: Values) -> bytes | None:
        """The client's own ID or a new one; None where the request is not plain."""
        if not shape.request_id:
            return self.fastpath.ids.make_bytes()
        given = values[shape.request_id]
        if accepted(given):
            return given
        if not is_printable_ascii(given):
            return None
        return self.fastpath.ids.of(given.strip().decode("ascii")).encode("ascii")

    def _bar(self, shape: HeadShape, values: Values) -> bool:
        """Refuse a request that the pipeline would refuse, for a target of which no more is known than its limit."""
        fastpath = self.fastpath
        barred = fastpath.barred.get((shape.method, shape.host + values[0]))
        # Nothing looks the conditions up here: another field could hide in one.
        if barred is None or not (shape.unconditional or is_printable_ascii(b"".join(values))):
            return False
        now_s = fastpath.monotonic()
        rate = fastpath.rates.refusal_now(self.rate_key(barred.counted_as, barred.limit), barred.limit, now_s)
        request_id = None if rate is None else self._request_id(shape, values)
        if rate is None or request_id is None:
            return False
        self.refuse(barred.facts, shape, values[0], request_id, now_s, rate)
        return True

    def _miss(self, shape: HeadShape, values: Values, data: bytes) -> bool:
        """Send on what is not stored."""
        if not shape.unconditional or shape.method != "GET":
            return False
        request_id = self._request_id(shape, values)
        misses = self.fastpath.misses
        if request_id is None or misses is None:
            return False
        return misses.send(self, self._policy, shape, values, data, request_id)

    def rate_key(self, counted_as: str | None, limit: RateLimit) -> str:
        """Under which key this client's requests are counted; `shared_rate_key` is the name of all together."""
        if counted_as is not None:
            return client_key(limit, counted_as)
        key = self._keys.get(limit.key)
        if key is None:
            key = self._keys[limit.key] = client_key(limit, client_network(self.address, limit.ipv6_bits))
        return key

    def _serve(
        self,
        spot: HotEntry,
        form: VariantReply,
        shape: HeadShape,
        target: bytes,
        request_id: bytes,
        now_s: float,
        rate: RateVerdict | None,
    ) -> None:
        spot.used = True
        wording = form.wording
        if now_s >= self._prefix_valid_until or not self._prefix_reusable(spot, form):
            self._render_prefix(spot, form, now_s)
        remaining, limits = NONE, b""
        if rate is not None:
            limits = self._limits(wording.common.limit_lines, rate)
            remaining = self._remaining
        body, fastpath = form.body, self.fastpath
        took_us = int((fastpath.monotonic() - now_s) * 1e6 + 0.5)
        self.write([self._head_prefix, request_id, response_time_line(took_us), limits, wording.tail, body])
        note = CompactRecord(wording.facts, self.address, shape.user_agent, now_s, target, request_id, took_us)
        note.bytes_out = len(body)
        note.bytes_identity = form.identity_bytes
        note.remaining = remaining
        fastpath.observer.note(note)

    def _prefix_reusable(self, spot: HotEntry, form: VariantReply) -> bool:
        """Whether the last answer began as this one does: all it is made of is the same."""
        if form.wording is not self._wording or form.own is not self._own:
            return False
        return spot.aged_from == self._aged_from and spot.fresh_until == self._fresh_until

    def _render_prefix(self, spot: HotEntry, form: VariantReply, now_s: float) -> None:
        """Put together the head up to the request ID; it holds until age or ttl say something else."""
        age, ttl, until_s = spot.texts(now_s)
        wording = form.wording
        # Not the spot and the form themselves: an idle connection would keep a body that the store let go of.
        self._wording, self._own, self._prefix_valid_until = wording, form.own, until_s
        self._aged_from, self._fresh_until = spot.aged_from, spot.fresh_until
        self._head_prefix = b"%b%b%b%b%b%b%b" % (
            wording.lead,
            form.own,
            wording.before_age,
            age,
            wording.before_ttl,
            ttl,
            _ID,
        )

    def _limits(self, lines: bytes, rate: RateVerdict) -> bytes:
        """The lines about the rate limit; they hold as long as the backlog is the same."""
        if rate.backlog_us != self._backlog_us or rate.limit is not self._limit:
            self._limit, self._backlog_us = rate.limit, rate.backlog_us
            self._remaining, wait_s = limit_numbers(rate)
            self._limit_text = b"%b%d;t=%d\r\n" % (lines, self._remaining, wait_s)
        return self._limit_text

    def answer_miss(
        self, miss: FastMiss, reply: ResponseTemplate, values: Values, body: bytes, upstream_us: int
    ) -> None:
        """Answer with what the backend said, and record it."""
        fastpath, rate = self.fastpath, miss.rate
        remaining, limits = NONE, b""
        if rate is not None:
            limits = self._limits(miss.way.limit_lines, rate)
            remaining = self._remaining
        took_us = int((fastpath.monotonic() - miss.started_s) * 1e6 + 0.5)
        self.write(reply.head.pieces(values, [miss.request_id, response_time_line(took_us), limits, b"\r\n", body]))
        agent = miss.way.shape.user_agent
        note = CompactRecord(reply.facts, self.address, agent, miss.started_s, miss.target, miss.request_id, took_us)
        note.bytes_out = len(body)
        note.remaining = remaining
        note.upstream_us = upstream_us
        fastpath.observer.finish_noted(note)

    def refuse(
        self, facts: RecordTemplate, shape: HeadShape, target: bytes, request_id: bytes, now_s: float, rate: RateVerdict
    ) -> None:
        """Answer a request that its rate refuses, and record it."""
        fastpath = self.fastpath
        remaining, wait_s = limit_numbers(rate)
        pieces = fastpath.refusals.pieces(facts, target, len(request_id), rate, wait_s)
        body = b"" if pieces.body is None else b"%b%b%b" % (pieces.body[0], request_id, pieces.body[1])
        took_us = int((fastpath.monotonic() - now_s) * 1e6 + 0.5)
        self.write([pieces.before_id, request_id, response_time_line(took_us), pieces.after_time, body])
        note = CompactRecord(facts, self.address, shape.user_agent, now_s, target, request_id, took_us)
        note.bytes_out = len(body)
        note.remaining = remaining
        fastpath.observer.note(note)


def response_time_line(took_us: int) -> bytes:
    """X-Response-Time between two line ends."""
    if took_us < 1000:
        return _TOOK[took_us]
    return b"\r\nX-Response-Time: %d%b" % (took_us // 1000, _MICROS[took_us % 1000])
