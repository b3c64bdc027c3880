"""What the steps hand to the reply: a head, where its body comes from, and what the cache did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.core.outcome import CacheStatus
from veneer.core.record import fast_struct
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.ports import ByteSink, SentTo, UpstreamResponse


def no_trailers() -> Fields:
    """The trailers of a body that has none."""
    return Fields()


@fast_struct
class StoredBody:
    """A whole or partial stored response: conditions, ranges and codings can be applied to it.

    `age_s` None means that it has just been fetched, so that no Age is added. `key` is set where coded bodies may be
    kept with the entry.
    """

    entry: Entry
    age_s: float | None = None
    key: str | None = None


@fast_struct
class StreamBody:
    """A body passing through; `length` None when unknown. `aclose` must be awaited on every path.

    `stream_into` does with `chunks` what is to be done where they only have to be sent.
    """

    chunks: AsyncIterator[bytes]
    length: int | None
    aclose: Callable[[], Awaitable[None]]
    trailers: Callable[[], Fields] = no_trailers
    stream_into: Callable[[ByteSink], Awaitable[None]] | None = None


@fast_struct
class BytesBody:
    """A body at hand that is sent as it is: the proxy's own answers."""

    data: bytes


@fast_struct
class TunnelBody:
    """101: what follows is not HTTP."""

    response: UpstreamResponse


Body = StoredBody | StreamBody | BytesBody | TunnelBody


@fast_struct
class Answer:
    """The answer to one exchange before it meets what the client prefers (codings, ranges, conditions)."""

    head: ResponseHead
    body: Body
    cache: CacheStatus
    use: CacheResult
    upstream_ms: float | None = None
    refused: Refusal | None = None
    error: str = ""
    sent_to: SentTo | None = None
