"""One request that the fast path has sent to the backend, until it is answered here or by the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from veneer.core.entry import Entry, Position
from veneer.core.forwarding import AGE_DELAY_S
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.rate import RateVerdict
from veneer.core.storability import Storable
from veneer.core.validators import make_etag
from veneer.fastpath.pattern import Values
from veneer.fastpath.replies import ResponseTemplate
from veneer.fastpath.ways import UpstreamTemplate
from veneer.http1.serialise import serialise_interim
from veneer.pipeline.coalesce import Flight
from veneer.pipeline.made import FetchTimes, entry_of_head, judge_head
from veneer.policy.model import Match
from veneer.ports import FirstBytesHandler, LeasedConnection

if TYPE_CHECKING:
    from veneer.fastpath.conversation import FastPathConnection

MAX_BODY_BYTES: Final = 64 * 1024
"""A larger body hardly comes in one piece."""


class FastMiss(FirstBytesHandler):
    """Implements `veneer.ports.FirstBytesHandler`, and is what the client's connection waits for.

    `shares` tells whether others may wait for the response. `received` is in seconds since the epoch, `started_s`
    monotonic; `group` is the key of its flight; `born` is the log's position before the request was sent.
    """

    __slots__ = (
        "born",
        "data",
        "flight",
        "group",
        "key",
        "lease",
        "left",
        "match",
        "may_share",
        "offered",
        "rate",
        "received",
        "request_id",
        "shares",
        "started_s",
        "talk",
        "target",
        "wanted",
        "way",
    )

    def __init__(
        self,
        talk: FastPathConnection,
        way: UpstreamTemplate,
        match: Match,
        wanted: RequestHead,
        key: str,
        data: bytes,
        request_id: bytes,
    ) -> None:
        self.talk = talk
        self.way = way
        self.match = match
        self.wanted = wanted
        self.key = key
        self.group = key
        self.may_share = False
        self.data = data
        self.request_id = request_id
        self.shares = False
        self.left = False
        self.offered = b""

    def send(
        self,
        lease: LeasedConnection,
        flight: Flight,
        rate: RateVerdict | None,
        born: Position,
        received: float,
        started_s: float,
        values: Values,
    ) -> None:
        """Ask the backend."""
        self.lease = lease
        self.flight = flight
        self.rate = rate
        self.born = born
        self.received = received
        self.started_s = started_s
        self.target = values[0]
        way = self.way
        lease.send(way.head(values, self.request_id), self, way.read_timeout_s)

    def leave(self) -> None:
        """The client has gone. The fetch goes on, unless it has to give way: what it brings may be stored."""
        self.left = True
        self.flight.asker_left()
        self.lease.watch(self.flight)

    def ended(self) -> bool:
        """The client sends no more, and may have gone: the fetch gives way to others, and the pipeline answers."""
        self.flight.asker_left()
        self.lease.watch(self.flight)
        return True

    def cancel(self) -> None:
        """The proxy stops and waits no longer."""
        self.lease.abort()

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response."""
        if not self.left:
            self.talk.write([serialise_interim(head)])

    def pass_on(self) -> None:
        """The response needs the pipeline."""
        misses = self.talk.fastpath.misses
        assert misses is not None
        misses.pass_on(self)

    def take(self, raw: bytes) -> bool:
        """Answer, if the response is whole and like one that was answered before."""
        self.offered = raw
        fastpath = self.talk.fastpath
        misses = fastpath.misses
        assert misses is not None
        now_s = fastpath.monotonic()
        # what this has learned to say does not tell the client that its connection ends
        if self.left or self.flight.followed or self.talk.link.is_last or now_s - self.started_s >= AGE_DELAY_S:
            return False
        found = self.way.replies.find(raw)
        if found is None:
            return False
        reply, values = found
        size = self._size_of_body(reply, values, len(raw))
        if size < 0:
            return False
        body = raw[len(raw) - size :]
        entry: Entry | None = None
        if reply.stores:
            entry = self._entry(reply, values, body)
            if entry is None:
                return False
        if reply.makes_etag:
            etag = make_etag(body) if entry is None else entry.fields.joined["etag"]
            values.append(etag.encode("ascii"))
        if entry is not None:
            entry.drop_derived()
            misses.keep(self, entry, may_share=self.may_share)
        self.talk.answer_miss(self, reply, values, body, int((now_s - self.started_s) * 1e6 + 0.5))
        misses.over(self, reply)
        return True

    def _size_of_body(self, reply: ResponseTemplate, values: Values, received: int) -> int:
        """The bytes of the body; -1 where it is not all there, empty, or followed by something."""
        size = received - reply.pattern.stop
        plain = 0 < size <= min(MAX_BODY_BYTES, self.way.route.cache.max_body_bytes)
        return size if plain and values[reply.length] == b"%d" % size else -1

    def _entry(self, reply: ResponseTemplate, values: Values, body: bytes) -> Entry | None:
        """What to store of the response; None where it may not be stored, as one like it was."""
        head = ResponseHead(200, reply.reason, reply.fields(values))
        now = self.talk.fastpath.now()
        verdict = judge_head(self.wanted, self.way.route.cache, head, self.received, now)
        if not isinstance(verdict, Storable) or verdict.span is not None or not self.way.tells(verdict.vary):
            return None
        self.may_share = verdict.may_share
        return entry_of_head(self.wanted, self.match, head, verdict, body, FetchTimes(self.received, now, self.born))
