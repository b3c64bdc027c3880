"""The pipeline's `Client` port over one client connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.http1.framing import BodyFraming, FramingFacts, framing_of
from veneer.http1.serialise import CONTINUE, chunk_size, last_chunk, serialise, serialise_interim
from veneer.ports import BodyMalformedError, BodyTooLargeError, BodyTooSlowError, BytesLike, ClientGoneError, Tunnel
from veneer.server.tunnel import ClientTunnel

LARGE_BYTES = 32 * 1024
"""From here on two pieces in one call are cheaper than a copy."""


class ClientTransport(Protocol):
    """What the adapter needs of the connection: bytes out, with back-pressure."""

    def write(self, data: bytes) -> None:
        """Queue bytes. Raises ClientGoneError when the connection is closed."""
        ...

    def write_all(self, pieces: Sequence[BytesLike]) -> bool:
        """Queue bytes in one go; whether all have left already. Raises ClientGoneError."""
        ...

    async def drained(self) -> None:
        """Wait until all bytes have left. Raises ClientGoneError."""
        ...

    async def drain(self) -> None:
        """Wait while the client is slow."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...

    def detach_stream(self) -> ClientTunnel:
        """Stop parsing and hand out the raw stream."""
        ...

    @property
    def address(self) -> str:
        """The peer's address without port; "unix" on a Unix socket."""
        ...

    @property
    def is_last(self) -> bool:
        """Whether no request may follow the one that is being answered."""
        ...


class WireClient:
    """One exchange's way to its client. Head and first body bytes leave in one write.

    It belongs to the task in which it is made: that one is cancelled when the client leaves, unless the exchange holds.
    """

    __slots__ = (
        "_detached",
        "_exchange",
        "_framing",
        "_left",
        "_may_have_left",
        "_on_leaving",
        "_pending",
        "_task",
        "_transport",
        "address",
        "bytes_in",
        "bytes_out",
    )

    def __init__(self, transport: ClientTransport, exchange: FramingFacts) -> None:
        self._transport = transport
        self._exchange = exchange
        self._framing: BodyFraming | None = None
        self._pending = b""
        self._task = asyncio.current_task()
        self._detached = False
        self._left = False
        self._may_have_left = False
        self._on_leaving: Callable[[], None] | None = None
        self.address = transport.address
        """The peer's address without port; "unix" on a Unix socket."""
        self.bytes_in = 0
        """Bytes of the request body read so far."""
        self.bytes_out = 0
        """Bytes of the response body sent so far."""

    def leave(self) -> None:
        """The client has gone."""
        self._left = True
        if self._on_leaving is not None:
            self._on_leaving()
        task, self._task = self._task, None  # which refers to this for as long as it is kept
        if not self._detached and task is not None:
            task.cancel()

    def ended(self) -> bool:
        """The client sends no more: it waits for its answer, or has gone. Whether to answer it.

        Before the answer has begun it is answered, and what it asked for gives way to others, as if it had gone; what
        is sent to it will tell. Once it has begun, an end is taken for that of who has seen enough.
        """
        if self.started and not self._may_have_left:
            return False
        self._may_have_left = True
        if self._on_leaving is not None:
            self._on_leaving()
        return True

    def on_leave(self, left: Callable[[], None] | None) -> None:
        """Call `left` when the client leaves, or may have left."""
        self._on_leaving = left
        if left is not None and (self._left or self._may_have_left):
            left()

    def detach(self, left: Callable[[], None] | None = None) -> None:
        """Until `reattach` the exchange goes on although the client may leave, which calls `left`."""
        self._detached = True
        self.on_leave(left)

    def reattach(self) -> bool:
        """The end of what `detach` began; whether the client has left meanwhile."""
        self._detached = False
        self._on_leaving = None
        return self._left

    @property
    def started(self) -> bool:
        """Whether a final head was given out already."""
        return self._framing is not None

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may carry another request after this one."""
        framing = self._framing
        return self._exchange.keep_alive and framing is not None and framing is not BodyFraming.CLOSE

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response; HTTP/1.0 clients never see one (RFC 9110 section 15.2)."""
        if self._exchange.version >= (1, 1) and not self.started and not self._left:
            self._transport.write(serialise_interim(head))

    async def begin(self, head: ResponseHead, length: int | None) -> None:
        """Choose the framing and hold the head until the first bytes of the body."""
        self._note_last()
        self._framing = framing_of(self._exchange, head.status, length)
        self._pending = serialise(head, self._exchange, self._framing, length)

    async def send(self, data: bytes) -> None:
        """Send body bytes in the chosen framing."""
        self.write_now((data,))
        await self._transport.drain()

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        """Send body bytes in the chosen framing, all pieces as one chunk; whether they have left.

        Raises ClientGoneError.
        """
        size = sum(map(len, pieces))
        if not size or self._framing is BodyFraming.NONE:
            return True
        self.bytes_out += size
        pending, self._pending = self._pending, b""
        if self._framing is BodyFraming.CHUNKED:
            pieces = (pending + chunk_size(size), *pieces, b"\r\n")
        elif pending:
            pieces = (pending, *pieces)
        return self._transport.write_all(pieces)

    async def drained(self) -> None:
        """Return when all bytes have left. Raises ClientGoneError."""
        await self._transport.drained()

    async def finish(self, trailers: Fields) -> None:
        """End the body."""
        if self._framing is BodyFraming.CHUNKED:
            self._write(last_chunk(trailers))
        elif self._pending:
            self._write(b"")
        await self._transport.drain()

    async def send_full(self, head: ResponseHead, body: bytes | Sequence[BytesLike]) -> None:
        """Send the head and all of its body."""
        self._note_last()
        pieces = (body,) if isinstance(body, bytes) else body
        length = sum(map(len, pieces))
        framing = self._framing = framing_of(self._exchange, head.status, length)
        raw = serialise(head, self._exchange, framing, length)
        if framing is BodyFraming.NONE:
            pieces, length = (), 0
        self.bytes_out += length
        if length < LARGE_BYTES:
            self._transport.write(b"".join((raw, *pieces)))
        else:
            self._transport.write_all((raw, *pieces))
        await self._transport.drain()

    async def flush(self) -> None:
        """Send a held head now: the body may be long in coming."""
        if self._pending:
            self._write(b"")
            await self._transport.drain()

    def _note_last(self) -> None:
        """A connection that is to end says so with its last answer (RFC 9112 section 9.6)."""
        if self._transport.is_last and self._exchange.keep_alive:
            self._exchange = replace(self._exchange, keep_alive=False)

    def _write(self, data: bytes) -> None:
        pending, self._pending = self._pending, b""
        self._transport.write(pending + data)

    def abort(self) -> None:
        """Cut the connection, so that a body begun is not taken for whole."""
        self._transport.abort()

    async def upgrade(self, head: ResponseHead) -> Tunnel:
        """Send 101 with its Connection and Upgrade fields and hand over the stream."""
        self._framing = BodyFraming.CLOSE
        switched = ResponseHead(head.status, head.reason, Fields((("Connection", "Upgrade"), *head.fields.pairs)))
        self._transport.write(serialise_interim(switched))
        return self._transport.detach_stream()


class PlainClient(WireClient):
    """The client of a request that came whole."""

    __slots__ = ("_content", "has_body")

    def __init__(self, content: bytes, transport: ClientTransport, exchange: FramingFacts) -> None:
        super().__init__(transport, exchange)
        self._content = content
        self.has_body = bool(content)
        """Whether the request brings content."""

    def body(self, limit_bytes: int) -> bytes | None:
        """The request body; None when there is none."""
        self.bytes_in = len(self._content)
        if self.bytes_in > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        return self._content or None


class AiohttpClient(WireClient):
    """The client of a request that aiohttp has read."""

    __slots__ = ("_awaiting_continue", "_body_timeout_s", "_request")

    def __init__(
        self, request: web.BaseRequest, transport: ClientTransport, exchange: FramingFacts, body_timeout_s: float
    ) -> None:
        super().__init__(transport, exchange)
        self._request = request
        self._body_timeout_s = body_timeout_s
        expect = request.headers.get("Expect", "")
        self._awaiting_continue = expect.lower() == "100-continue" and exchange.version >= (1, 1)

    @property
    def has_body(self) -> bool:
        """Whether the request brings content, be it empty."""
        request = self._request
        return request.can_read_body or request.content.exception() is not None

    def body(self, limit_bytes: int) -> AsyncIterator[bytes] | None:
        """The request body as it arrives; None when there is none."""
        refused = self._request.content.exception()  # looked at first: what was refused counts as read to its end
        if isinstance(refused, HttpProcessingError):
            raise self._malformed(refused)
        if not self._request.can_read_body:
            return None
        return self._read(limit_bytes)

    def _note_last(self) -> None:
        """Who was not asked for the content need not send it: what comes next may be that or a request."""
        if self._awaiting_continue and self.has_body:
            self._exchange = replace(self._exchange, keep_alive=False)
        super()._note_last()

    async def _read(self, limit_bytes: int) -> AsyncIterator[bytes]:
        if self._awaiting_continue and not self.started:
            self._awaiting_continue = False
            self._transport.write(CONTINUE)
        try:
            while data := await self._piece():
                self.bytes_in += len(data)
                if self.bytes_in > limit_bytes:
                    raise BodyTooLargeError(limit_bytes)
                yield data
        except (web.RequestPayloadError, ConnectionError) as error:
            raise ClientGoneError(str(error)) from error.with_traceback(None)  # the request keeps it

    async def _piece(self) -> bytes:
        """The next bytes of the body, none at its end. Raises a BodyError; the connection closes after that."""
        try:
            async with asyncio.timeout(self._body_timeout_s):
                return await self._request.content.readany()
        except TimeoutError as error:
            self._exchange = replace(self._exchange, keep_alive=False)
            raise BodyTooSlowError(self._body_timeout_s) from error
        except HttpProcessingError as error:
            raise self._malformed(error) from error.with_traceback(None)  # as above

    def _malformed(self, error: HttpProcessingError) -> BodyMalformedError:
        self._request.content.feed_eof()  # nothing more of it will be read, not even to be thrown away
        self._exchange = replace(self._exchange, keep_alive=False)
        return BodyMalformedError(error.message)
