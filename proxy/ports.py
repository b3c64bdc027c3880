"""Protocols between the pipeline and the rooms below it. Doubles for tests exist only for these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from proxy.core.entry import CodedBody, Entry, Position
from proxy.core.fields import Fields
from proxy.core.invalidation import Invalidation, Validity
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.rate import RateLimit, RateVerdict


class Clock(Protocol):
    """The time, injected."""

    def now(self) -> float:
        """Seconds since the epoch: for dates and ages."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for durations and leases."""
        ...


# ---------------------------------------------------------------- entries


class Companion(Protocol):
    """What somebody keeps beside a stored response for as long as it is stored.

    `used` says that the response was answered from without a `lookup`; the store takes note and clears it.
    """

    used: bool

    def part(self) -> None:
        """It is over: the response is gone, or no longer alone. Called once; must be quick and never raise."""
        ...


class LocalStore(Protocol):
    """A store in this process: nothing has to be waited for."""

    def peek(self, key: str) -> Sequence[Entry]:
        """As `EntryStore.lookup`."""
        ...

    def keep(self, key: str, entries: Iterable[Entry]) -> None:
        """As `EntryStore.put`, of several."""
        ...


class EntryStore(Protocol):
    """Stored responses by cache key. Never raises for a store's failure: a failing store is a miss and a warning."""

    @property
    def local(self) -> LocalStore | None:
        """This store, where all of it is in this process."""
        ...

    async def lookup(self, key: str, request: RequestHead) -> Sequence[Entry]:
        """Every stored response under `key` that may match `request` (core.vary decides), newest first."""
        ...

    def accompany(self, key: str, entry: Entry, companion: Companion) -> bool:
        """Tell `companion` when memory no longer holds `entry`, and it alone, under `key`.

        Until then whoever answers from `entry` may do so without a `lookup`, and sets `used`. False where memory does
        not hold it so, or keeps nothing. An entry has a few companions at most; the oldest gives way and is told.
        """
        ...

    async def put(self, key: str, entry: Entry, keep_s: float) -> None:
        """Store `entry`, replacing the one with equal `vary` and `span`; it may be forgotten after `keep_s` seconds.

        Other nodes drop what they hold in memory under `key` when something was replaced.
        """
        ...

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:
        """Keep a coded body with `entry` where it is still stored; in memory only, a hint that may be dropped.

        Whether it is kept. It takes the place of what is kept in the same coding.
        """
        ...

    def used_since(self, key: str, entry: Entry) -> bool | None:
        """Whether what memory holds under `key` was used since this was asked last; None once it lacks `entry`."""
        ...

    async def discard(self, key: str) -> None:
        """Forget everything under `key`, here and in the shared store."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of an invalidation: its position, who applied it, and whose lease had to run out.

    `shared` is False when the shared log could not be reached within a bound, so that only this node has applied the
    event and others may still answer with what it names. It is shared as soon as the log can be reached again.
    """

    position: Position
    acknowledged: tuple[str, ...]
    expired: tuple[str, ...]
    duration_ms: float
    shared: bool = True


class Standing(Enum):
    """Whether this node may answer from its stores without asking the backend."""

    LEADING = "leading"  # alone, or with a fresh lease
    LOST = "lost"  # the lease ran out or the shared store is away: nothing stored may be trusted


class InvalidationLog(Protocol):
    """The total order of invalidations, as far as this node has applied it, and the lease that makes it strict."""

    @property
    def position(self) -> Position:
        """The last position applied here. Taken before a fetch begins, it becomes the entry's `born`."""
        ...

    def standing(self) -> Standing:
        """One comparison: is the lease fresh?"""
        ...

    def validity(self, entry: Entry) -> Validity:
        """Has anything that names `entry` happened after it was born? Constant time when nothing happened at all."""
        ...

    def leading_at(self, now_s: float) -> int:
        """A number that changes whenever the answer of `validity` may change; -1 if this node does not lead at `now_s`.

        `now_s` is monotonic. What was found valid is valid as long as the number is the same.
        """
        ...

    async def ready(self) -> bool:
        """Wait, within a bound, until this node leads; whether it does.

        Asked before a write is sent to the backend: one sent by a node that is cut off cannot be made known to the
        others, so that its answer would have to be kept from the client.
        """
        ...

    async def append(self, invalidation: Invalidation, *, strict: bool) -> Receipt:
        """Put an event into the order and apply it here.

        With `strict` returns only when every live node has applied it or its lease has run out.
        """
        ...

    async def spares(self, entry: Entry, until: Position) -> bool:
        """Whether nothing that names `entry` lies between its birth and `until`, both exclusive.

        False where that is no longer, or not soon enough, known. What a write's own response may be stored as: its
        own invalidation stands at `until`.
        """
        ...


class Turn(Protocol):
    """The right to fetch a key from the backend while other nodes wait."""

    async def done(self, *, stored: bool) -> None:
        """The fetch is over, on whatever path; `stored` when its response is in the shared store. Never raises."""
        ...


class FetchTurns(Protocol):
    """One upstream fetch per key, over all nodes."""

    @property
    def alone(self) -> bool:
        """Whether no other node takes turns, so that each is free."""
        ...

    async def take(self, key: str, wait_s: float, *, again: bool = False) -> Turn | None:
        """The turn to fetch `key`; None when another node's fetch is over, so that it is worth looking again.

        It is this node's turn at the latest after `wait_s`, or when nobody can be asked. `again` says that a response
        stored just now was looked at and is of no use.
        """
        ...


# ---------------------------------------------------------------- rates


class RateStore(Protocol):
    """Shared or local rate-limit state."""

    async def admit(self, client: str, limit: RateLimit) -> RateVerdict:
        """Count one request of `client` against `limit`."""
        ...

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """As `admit`, when no waiting is needed; None when it is, and then nothing has been counted.

        For callers that come often, as `refusal_now` is: `key` is the client's under the limit
        (limits.keys.client_key), `now_s` monotonic.
        """
        ...

    def refusal_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that a request would certainly meet now, or None. It counts nothing."""
        ...


# ---------------------------------------------------------------- upstream


class UpstreamFailure(Enum):
    """Why there is no (whole) response from the backend."""

    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect-timeout"
    READ_TIMEOUT = "read-timeout"
    WRITE_TIMEOUT = "write-timeout"
    POOL_TIMEOUT = "pool-timeout"
    RESET = "reset"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    UNHEALTHY = "unhealthy"


class UpstreamError(Exception):
    """The exchange with the backend failed.

    `sent` tells whether the backend may have seen the request: then the outcome of a write is unknown.
    """

    def __init__(self, failure: UpstreamFailure, detail: str, *, sent: bool) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure
        self.detail = detail
        self.sent = sent


class InterimSink(Protocol):
    """Takes 1xx responses as they come (RFC 9110 section 15.2)."""

    def __call__(self, head: ResponseHead) -> None:
        """Relay one interim response; never 100 (the upstream room handles Expect) and never 101."""
        ...


class Tunnel(Protocol):
    """The raw byte stream after 101 Switching Protocols."""

    async def read(self) -> bytes:
        """The next octets; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send octets, waiting while the peer is slow."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


Octets = bytes | memoryview
"""A piece of a body on its way."""


class Outlet(Protocol):
    """Where the octets of a body leave without the turn of a task for each piece."""

    def push(self, pieces: Sequence[Octets]) -> bool:
        """Send octets now; whether all have left.

        Those that have not still lie where they lay: their memory must not change, and nothing more should be pushed,
        until `emptied` returns. Raises ConnectionError when nobody takes them any more.
        """
        ...

    async def emptied(self) -> None:
        """Return when all octets have left. Raises ConnectionError when they cannot any more."""
        ...


class UpstreamResponse(Protocol):
    """A final response whose body is still arriving. Must be closed on every path."""

    @property
    def head(self) -> ResponseHead:
        """Status and end-to-end fields; hop-by-hop fields and Transfer-Encoding are gone, Content-Length stays."""
        ...

    @property
    def content_length(self) -> int | None:
        """Octets to come if announced."""
        ...

    @property
    def trailers(self) -> Fields:
        """Trailer fields; empty until the body has ended."""
        ...

    @property
    def tunnel(self) -> Tunnel | None:
        """Set when the status is 101."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. Raises UpstreamError when it is cut short."""
        ...

    async def pour(self, outlet: Outlet) -> None:
        """Push what is left of the body into `outlet` as it arrives; the backend waits while the outlet is slow.

        Raises UpstreamError when the body is cut short, and what the outlet raises.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back if the message was whole, close it otherwise. Idempotent."""
        ...


Content = bytes | AsyncIterator[bytes]
"""A request's content: all of it at hand, or in pieces as it arrives."""


class Upstream(Protocol):
    """The backend."""

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
    ) -> UpstreamResponse:
        """Send the request, streaming its body, and return when the final head has arrived.

        `read_timeout_s` is how long this one may be silent, where that differs from what the upstream allows.

        `request.fields` are written exactly as given, after Host; framing and Connection fields are added here.
        Raises UpstreamError.
        """
        ...

    def head_octets(self, request: RequestHead) -> bytes:
        """The head of a request without content, as `exchange` would send it."""
        ...

    def lease_now(self) -> Lease | None:
        """A connection over which a request can be sent at once; None where it has to take the way of `exchange`."""
        ...


class Taker(Protocol):
    """Who has sent a request over a lease. Its calls come from the callback that reads the socket: none may wait."""

    def take(self, octets: bytes) -> bool:
        """See the first octets of the response as they came; whether they are one whole response, and understood.

        After True the exchange is over, and the connection may carry the next. After False `pass_on` follows.
        """
        ...

    def pass_on(self) -> None:
        """The response has to be awaited from the lease. Called once, unless `take` was True."""
        ...

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response, as an `InterimSink`."""
        ...


class Lease(Protocol):
    """A connection of an upstream, for one exchange. It has to be given back or sent over."""

    def give_back(self) -> None:
        """Nothing is to be sent."""
        ...

    def send(self, head: bytes, taker: Taker, read_timeout_s: float | None) -> None:
        """Send a GET without content, whose head these octets are (`Upstream.head_octets`)."""
        ...

    async def response(self, on_interim: InterimSink) -> UpstreamResponse:
        """The response when it was passed on, once its final head is here. Raises UpstreamError.

        `on_interim` takes 1xx responses where the request has to be sent once more.
        """
        ...

    def abort(self) -> None:
        """Close the connection: the response is wanted no more."""
        ...


# ---------------------------------------------------------------- codings


class StreamEncoder(Protocol):
    """A content coding applied piece by piece."""

    def feed(self, data: bytes) -> bytes:
        """Coded octets ready so far; may be empty."""
        ...

    def flush(self) -> bytes:
        """All that was fed, decodable now (for slow streams)."""
        ...

    def finish(self) -> bytes:
        """The end of the coded stream."""
        ...


class Codec(Protocol):
    """Makes content codings: "br", "zstd", "gzip"."""

    async def encode(self, coding: str, level: int, body: bytes) -> bytes:
        """The whole body coded; larger bodies off the event loop."""
        ...

    async def encode_densely(self, coding: str, body: bytes) -> bytes:
        """The whole body coded as hard as the coding can, however long that takes, without hindering anybody."""
        ...

    def hardest(self, coding: str) -> int:
        """The level of `encode_densely`."""
        ...

    def stream(self, coding: str, level: int) -> StreamEncoder:
        """A new encoder for one body."""
        ...


# ---------------------------------------------------------------- downstream


class BodyError(Exception):
    """The request body cannot be taken as it comes; the client is told why."""


class BodyTooLargeError(BodyError):
    """The request body passed the route's limit (413)."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the request body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BodyMalformedError(BodyError):
    """The framing of the request body is broken: where it ends cannot be told (400)."""


class BodyTooSlowError(BodyError):
    """The client sent nothing of its request body for too long (408)."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"nothing of the request body came for {timeout_s:g} s")
        self.timeout_s = timeout_s


class ClientGoneError(ConnectionError):
    """The client closed or broke its connection."""


class Client(Outlet, Protocol):
    """The client's side of one exchange: the only way to answer it. As an outlet it takes octets of the body."""

    def body(self, limit_bytes: int) -> Content | None:
        """The request body, at hand or as it arrives; None when there is none.

        Raises a BodyError (too large, too slow, malformed), and ClientGoneError when the body breaks off.
        """
        ...

    def hold(self) -> None:
        """Until `let_go` the exchange goes on although the client may leave; else it is cancelled then."""
        ...

    def let_go(self) -> bool:
        """The end of what `hold` began; whether the client has left meanwhile, so that nothing can be sent to it."""
        ...

    @property
    def has_body(self) -> bool:
        """Whether the request brings content, be it empty."""
        ...

    @property
    def started(self) -> bool:
        """Whether a final head has been given out."""
        ...

    @property
    def bytes_in(self) -> int:
        """Octets of the request body read so far."""
        ...

    @property
    def bytes_out(self) -> int:
        """Octets of the response body sent so far."""
        ...

    @property
    def address(self) -> str:
        """The peer's address as a string, without port."""
        ...

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response; dropped for HTTP/1.0 clients."""
        ...

    async def begin(self, head: ResponseHead, length: int | None) -> None:
        """Send the final head. `length` None means that the end is marked by chunked coding or by closing."""
        ...

    async def send(self, data: bytes) -> None:
        """Send body octets, waiting while the client is slow. Raises ClientGoneError."""
        ...

    async def whole(self, head: ResponseHead, body: bytes) -> None:
        """Send the final head and all of its body: `begin`, `send` and `finish` in one."""
        ...

    async def flush(self) -> None:
        """Send the head now, when the body may be long in coming."""
        ...

    async def finish(self, trailers: Fields) -> None:
        """The body is whole."""
        ...

    def abort(self) -> None:
        """Cut the connection so that the client sees the body is not whole."""
        ...

    async def upgrade(self, head: ResponseHead) -> Tunnel:
        """Send 101 and hand over the raw stream."""
        ...
