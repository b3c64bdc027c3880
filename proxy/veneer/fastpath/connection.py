"""One connection's side of the fast path."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from veneer.core.rate import RateLimit, RateVerdict, client_key, client_network, limit_numbers
from veneer.fastpath.exchange import FastExchange, FastRequest, Write
from veneer.fastpath.fingerprint import fingerprint_at
from veneer.fastpath.hot_entries import HeadTemplate, HotEntry, VariantReply
from veneer.fastpath.miss_templates import MissTemplate
from veneer.fastpath.pattern import Values, is_printable_ascii
from veneer.fastpath.replies import ResponseTemplate
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.state import FastPathState
from veneer.fastpath.write_templates import WriteTemplate
from veneer.observe.repeats import NONE, CompactRecord, RecordTemplate
from veneer.pipeline.represent import millis
from veneer.pipeline.request_ids import accepted
from veneer.server.ports import ConnectionHandle, D, FastPathHandler, P

_ID: Final = b"\r\nX-Request-ID: "
_MICROS: Final = [millis(us).encode("ascii").removeprefix(b"0") + b"\r\n" for us in range(1000)]
"""How X-Response-Time ends, from the decimal point on."""
_TOOK: Final = [b"\r\nX-Response-Time: 0" + end for end in _MICROS]


class FastPathConnection(FastPathHandler):
    """Answers on one connection. It remembers the shape of the client's last head and parts of the last answer."""

    __slots__ = (
        "_address",
        "_aged_from",
        "_backlog_us",
        "_connection",
        "_fresh_until",
        "_head_prefix",
        "_keys",
        "_limit",
        "_limit_text",
        "_miss_template",
        "_policy",
        "_prefetched",
        "_prefix_valid_until",
        "_remaining",
        "_shape",
        "_state",
        "_template",
        "_unique_lines",
        "_values",
        "_write",
        "_write_shape",
        "_write_template",
        "hash_a",
        "hash_b",
    )

    def __init__(self, state: FastPathState, connection: ConnectionHandle, write: Write) -> None:
        self._state = state
        self._connection = connection
        self._address = connection.address
        self._write = write
        self._miss_template: MissTemplate | None = None  # of the last request that was sent on
        self._write_template: WriteTemplate | None = None
        self._write_shape: HeadShape | None = None
        self._policy = state.policy
        self._shape: HeadShape | None = None
        self._keys: dict[str, str] = {}
        self._head_prefix = self._unique_lines = b""
        self._template: HeadTemplate | None = None
        self._aged_from = self._fresh_until = self._prefix_valid_until = 0.0
        self._limit: RateLimit | None = None
        self._backlog_us = self._remaining = 0
        self._limit_text = b""
        self._prefetched = b""
        self._values: Values | None = None
        self.hash_a: i64 = 0
        self.hash_b: i64 = 0

    def prefetch(self, data: bytes) -> bool:
        """Read the request that is to be answered next; whether it is plain, and then its fingerprint."""
        state = self._state
        self._prefetched = data
        self._values = None
        if state.policies.current is not state.policy or self._policy is not state.policy:
            self._take_policy()
        shape = self._shape
        values: Values | None = None
        if shape is not None and len(data) <= state.scanner.max_bytes:
            values = shape.match_head(data)
        if shape is None or values is None:
            read = state.scanner.scan(data)
            if read is None:
                return False
            shape, values = read
            self._shape = shape
        self._values = values
        self.hash_a, self.hash_b = fingerprint_at(shape.host, shape.host_hashed, values[0])
        return True

    def _take_policy(self) -> None:
        """Go on under the policy in force, of which nothing is known yet."""
        state = self._state
        if state.policies.current is not state.policy:
            state.reset_for_policy()
        self._policy, self._shape, self._miss_template = state.policy, None, None
        self._write_shape = self._write_template = None
        self._keys.clear()

    def answer(self, data: bytes) -> bool:
        """Answer and record the one request in `data`; False, and nothing done, when it has to take the normal way."""
        return self._send_write(data) if data[0] in (P, D) else self._answer_read(data)

    def _answer_read(self, data: bytes) -> bool:
        state = self._state
        if data is not self._prefetched or self._policy is not state.policies.current:
            self.prefetch(data)
        values = self._values
        self._prefetched = b""
        self._values = None  # What a client has sent is kept for no longer than it takes.
        shape = self._shape
        if values is None or shape is None:
            return False
        hot_entry = state.hot_entries.get(self.hash_a, self.hash_b)
        withheld = False
        if hot_entry is not None:  # what is for one scope alone may be led to by nothing but that scope
            scoped = hot_entry.template.route_facts.shared_by
            withheld = not hot_entry.for_all and (shape.credentials or bool(scoped))
        else:
            found = self._look_further(shape, values, data)
            if isinstance(found, bool):
                return found
            hot_entry = found
        now_s = state.monotonic()
        reply = hot_entry.reply_for(shape.selector if shape.unconditional else shape.selector_of(values))
        servable = hot_entry.is_servable(state.log, now_s)
        if reply is None or withheld or not servable:
            return not servable and self._send_on(shape, values, data) is True
        request_id = self._client_id(values[shape.request_id]) if shape.request_id else state.ids.make_bytes()
        if request_id is None:
            return False
        route_facts = reply.template.route_facts
        limit = route_facts.limit
        if limit is None:
            rate = None
        else:
            rate = state.rates.admit_now(self._rate_key(route_facts.shared_rate_key, limit), limit, now_s)
            if rate is None:
                return False
        if rate is None or rate.allowed:
            self._ready_prefix(hot_entry, reply, now_s)
            state.observer.note(self._serve(reply, shape, values[0], request_id, now_s, rate))
            answered = True
        else:
            record = state.rejection_record(shape.method, route_facts.route)
            answered = self._reject(record, shape, values[0], request_id, now_s, rate)
        return answered

    def _look_further(self, shape: HeadShape, values: Values, data: bytes) -> bool | HotEntry:
        """What answers a target of which no hot entry is for everybody, or whether it was answered or sent on."""
        state = self._state
        if shape.authorization and state.sharings:
            scoped = state.scoped_entry(self.hash_a, self.hash_b, values[shape.authorization])
            if scoped is not None:
                return scoped
        if state.limited_targets and self._reject_limited(shape, values):
            return True
        return self._send_on(shape, values, data)

    def _client_id(self, given: bytes) -> bytes | None:
        """The ID that a client gives, or a new one where it may not; None where the request is not plain."""
        if accepted(given):
            return given
        if not is_printable_ascii(given):
            return None
        return self._state.ids.of(given.strip().decode("ascii")).encode("ascii")

    def _reject_limited(self, shape: HeadShape, values: Values) -> bool:
        """Refuse a request that the pipeline would refuse, for a target of which no more is known than its limit."""
        state = self._state
        limited = state.limited_targets.get((shape.method, shape.host + values[0]))
        # Nothing looks the conditions up here: another field could hide in one.
        if limited is None or not (shape.unconditional or is_printable_ascii(b"".join(values))):
            return False
        now_s = state.monotonic()
        rate = state.rates.refusal_now(self._rate_key(limited.shared_rate_key, limited.limit), limited.limit, now_s)
        if rate is None:
            return False
        request_id = self._client_id(values[shape.request_id]) if shape.request_id else state.ids.make_bytes()
        if request_id is None:
            return False
        return self._reject(limited.facts, shape, values[0], request_id, now_s, rate)

    def _send_on(self, shape: HeadShape, values: Values, data: bytes) -> bool | HotEntry:
        """Send on what is not stored, or refuse it for its rate; False, and nothing done, for the normal way.

        Where the response is in memory, and how to answer from it is known, nothing is done either but that the hot
        entry is made.
        """
        if not shape.unconditional or shape.method != "GET":
            return False
        state = self._state
        misses = state.misses
        request_id = self._client_id(values[shape.request_id]) if shape.request_id else state.ids.make_bytes()
        if request_id is None or misses is None:
            return False
        now_s = state.monotonic()
        request = FastRequest(self._connection, shape, values, data, request_id, self, self._write)
        miss = misses.prepare(request, self._miss_template, self._policy, now_s)
        if miss is None:
            return False
        self._miss_template = miss.template
        hot_entry = misses.hot_entry(miss, now_s) if miss.is_stored else None
        return self._send(miss, now_s) if hot_entry is None else hot_entry

    def _send_write(self, data: bytes) -> bool:
        """Send on what is not safe, or refuse it for its rate; False, and nothing done, for the normal way."""
        state = self._state
        if state.policies.current is not state.policy or self._policy is not state.policy:
            self._take_policy()
        writes = state.writes
        read = None if writes is None else writes.read(data, self._write_shape)
        if writes is None or read is None:
            return False
        shape, values = read.shape, read.values
        self._write_shape = shape
        request_id = self._client_id(values[shape.request_id]) if shape.request_id else state.ids.make_bytes()
        if request_id is None:
            return False
        request = FastRequest(self._connection, shape, values, data, request_id, self, self._write)
        write = writes.prepare(request, read.content, self._write_template, self._policy)
        if write is None:
            return False
        self._write_template = write.template
        return self._send(write, state.monotonic())

    def _send(self, exchange: FastExchange, now_s: float) -> bool:
        """Send it, or refuse it for its rate; False, and nothing done, where no connection to the backend is idle."""
        state, request, template = self._state, exchange.request, exchange.way
        lease = None if exchange.waits_first else template.upstream.lease_now(now_s, template.route.claim)
        if lease is None and not exchange.waits_first:
            return False
        limit = template.limit
        rate: RateVerdict | None = None
        if limit is not None:
            name = exchange.counted_as or template.shared_rate_key
            rate = state.rates.admit_now(self._rate_key(name, limit), limit, now_s)
            if rate is None or not rate.allowed:
                if lease is not None:
                    lease.give_back()
                if rate is None:
                    return False
                record = state.rejection_record(template.method, template.route.name)
                state.learn_refusal(template.method, request.shape.host + request.values[0], exchange.match)
                return self._reject(record, request.shape, request.values[0], request.request_id, now_s, rate)
        if lease is None:
            exchange.wait_first(rate, now_s)
        else:
            exchange.send(lease, rate, now_s)
        return True

    def _rate_key(self, shared_rate_key: str | None, limit: RateLimit) -> str:
        """Under which key this client's requests are counted; `shared_rate_key` is a name that is not its own."""
        if shared_rate_key is not None:
            return client_key(limit, shared_rate_key)
        key = self._keys.get(limit.key)
        if key is None:
            key = self._keys[limit.key] = client_key(limit, client_network(self._address, limit.ipv6_bits))
        return key

    def _ready_prefix(self, hot_entry: HotEntry, reply: VariantReply, now_s: float) -> None:
        """Have the beginning of the answer, as it is at `now_s`; the entry counts as used."""
        hot_entry.used = True
        if now_s >= self._prefix_valid_until or not self._prefix_reusable(hot_entry, reply):
            self._render_prefix(hot_entry, reply, now_s)

    def _serve(
        self,
        reply: VariantReply,
        shape: HeadShape,
        target: bytes,
        request_id: bytes,
        started_s: float,
        rate: RateVerdict | None,
    ) -> CompactRecord:
        """Answer with a hit whose prefix is ready a request that came at `started_s`; what is to be recorded of it."""
        template = reply.template
        remaining, limits = NONE, b""
        if rate is not None:
            limits = self._limits(template.route_facts.limit_lines, rate)
            remaining = self._remaining
        body, state = reply.body, self._state
        took_us = int((state.monotonic() - started_s) * 1e6 + 0.5)
        self._write([self._head_prefix, request_id, response_time_line(took_us), limits, template.suffix, body])
        note = CompactRecord(template.facts, self._address, shape.user_agent, started_s, target, request_id, took_us)
        note.bytes_out = len(body)
        note.bytes_identity = reply.identity_bytes
        note.remaining = remaining
        return note

    def _prefix_reusable(self, hot_entry: HotEntry, reply: VariantReply) -> bool:
        """Whether the last answer began as this one does: all it is made of is the same."""
        if reply.template is not self._template or reply.unique_lines is not self._unique_lines:
            return False
        return hot_entry.aged_from == self._aged_from and hot_entry.fresh_until == self._fresh_until

    def _render_prefix(self, hot_entry: HotEntry, reply: VariantReply, now_s: float) -> None:
        """Put together the head up to the request ID; it holds until age or ttl say something else."""
        age, ttl, until_s = hot_entry.age_and_ttl(now_s)
        template = reply.template
        # Not the hot entry and the variant themselves: an idle connection would keep a body that the store let go of.
        self._template, self._unique_lines, self._prefix_valid_until = template, reply.unique_lines, until_s
        self._aged_from, self._fresh_until = hot_entry.aged_from, hot_entry.fresh_until
        self._head_prefix = b"%b%b%b%b%b%b%b" % (
            template.prefix,
            reply.unique_lines,
            template.before_age,
            age,
            template.before_ttl,
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

    def answer_hit(self, exchange: FastExchange, hot_entry: HotEntry, now_s: float) -> None:
        """As `Answering`, and record it."""
        request = exchange.request
        self._ready_prefix(hot_entry, hot_entry, now_s)
        target, request_id, started_s = request.values[0], request.request_id, exchange.started_s
        self._state.observer.finish_noted(
            self._serve(hot_entry, request.shape, target, request_id, started_s, exchange.rate)
        )

    def answer_sent(
        self,
        exchange: FastExchange,
        reply: ResponseTemplate,
        values: Values,
        body: bytes,
        identity_bytes: int,
        upstream_us: int,
    ) -> None:
        """As `Answering`, and record it."""
        state, rate, request = self._state, exchange.rate, exchange.request
        remaining, limits = NONE, b""
        if rate is not None:
            limits = self._limits(exchange.way.limit_lines, rate)
            remaining = self._remaining
        took_us = int((state.monotonic() - exchange.started_s) * 1e6 + 0.5)
        request_id, target = request.request_id, request.values[0]
        self._write(
            reply.head.pieces(values, [request_id, response_time_line(took_us), limits, reply.end(len(body)), body])
        )
        agent, facts = request.shape.user_agent, reply.facts
        if exchange.match.identity is not None:
            facts = state.identified_record(facts, exchange.match)
        if exchange.target:
            facts = state.targeted_record(facts, exchange.target)
        note = CompactRecord(facts, self._address, agent, exchange.started_s, target, request_id, took_us)
        note.bytes_in = exchange.bytes_in
        note.bytes_out = len(body)
        note.bytes_identity = identity_bytes
        note.remaining = remaining
        note.upstream_us = upstream_us
        state.observer.finish_noted(note)

    def _reject(
        self, facts: RecordTemplate, shape: HeadShape, target: bytes, request_id: bytes, now_s: float, rate: RateVerdict
    ) -> bool:
        """Answer a request that its rate refuses, and record it; False, and nothing done, where a page asks."""
        if shape.of_page:
            return False
        state = self._state
        remaining, wait_s = limit_numbers(rate)
        pieces = state.rejections.pieces(facts, target, len(request_id), rate, wait_s)
        body = b"" if pieces.body is None else b"%b%b%b" % (pieces.body[0], request_id, pieces.body[1])
        took_us = int((state.monotonic() - now_s) * 1e6 + 0.5)
        self._write([pieces.before_id, request_id, response_time_line(took_us), pieces.after_time, body])
        note = CompactRecord(facts, self._address, shape.user_agent, now_s, target, request_id, took_us)
        note.bytes_out = len(body)
        note.remaining = remaining
        state.observer.note(note)
        return True


def response_time_line(took_us: int) -> bytes:
    """X-Response-Time between two line ends."""
    if took_us < 1000:
        return _TOOK[took_us]
    return b"\r\nX-Response-Time: %d%b" % (took_us // 1000, _MICROS[took_us % 1000])
