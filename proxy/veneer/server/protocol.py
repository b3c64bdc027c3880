"""The file that leans on aiohttp's server internals: connections, errors, and what happens after the handler.

aiohttp parses requests and runs one handler at a time per connection. The response is written by our own client
adapter, so the handler returns a `AlreadySent` marker that aiohttp has nothing left to do with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from veneer.http1.segments import body_left, split_at_heads
from veneer.loop.batched_writes import WriteBatch, WriteBuffer
from veneer.ports import ClientGoneError
from veneer.server.already_sent import AlreadySent
from veneer.server.any_method import AnyMethodParser
from veneer.server.batching import TickBatcher
from veneer.server.connection import ClientConnection
from veneer.server.limits import CUT_S, ConnectionSettings, MalformedCallback, MalformedRequest
from veneer.server.ports import FastPath, PlainHandler
from veneer.server.segments import has_rare_method, needs_patience, started
from veneer.server.states import CLOSING
from veneer.server.tunnel import ClientTunnel

logger = logging.getLogger(__name__)

_TOO_MANY_FIELDS = "Too many headers received"  # aiohttp has no exception of its own for it

_LAST_S = 0.25
"""Of the time in which a connection has to end: how long a handler is waited for that is cut short, twice."""

RequestCallback = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


OPENING_BYTES = 2048


class AiohttpProtocol(RequestHandler):
    """aiohttp's side of a connection (implements `AiohttpFallback`): reads and answers what is not answered without it.

    `_body_left` tells how much of a body is still to come before the next request begins; None once that cannot be told
    any more: a guess here would let one request's bytes be read as another's. A head that has begun has to be whole in
    time.
    """

    __slots__ = (
        "_body_left",
        "_front",
        "_head_timer",
        "_malformed",
        "_settings",
        "connection",
        "opening",
    )

    def __init__(
        self,
        server: FrontServer,
        settings: ConnectionSettings,
        malformed: MalformedCallback,
        connection: ClientConnection,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.keepalive_timeout_s,
            access_log=cast("logging.Logger", None),
            max_line_size=settings.max_line_bytes,
            max_field_size=settings.max_field_bytes,
            max_headers=settings.max_fields,
            lingering_time=settings.lingering_s,
            read_bufsize=settings.read_buffer_bytes,
            auto_decompress=False,
        )
        self.connection = connection
        self._front = server
        self._head_timer: asyncio.TimerHandle | None = None
        self._malformed = malformed
        self._settings = settings
        self._body_left: int | None = 0
        self.opening = b""
        """How the request begins that is read; empty where that is not certain, and once it is answered."""

    def connection_taken(self, transport: asyncio.Transport) -> bool:
        """Begin with a connection; False when it was refused, for there are too many."""
        if self._front.full:
            self._reject_connection(transport)
            return False
        self.connection_made(transport)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def _reject_connection(self, transport: asyncio.Transport) -> None:
        """Say 503 and close; aiohttp never learns of the connection."""
        self.force_close()
        detail = "too many connections; try again later"
        transport.write(self._malformed(MalformedRequest(503, detail, self.connection.address)))
        transport.close()

    def close(self) -> None:
        """Answer no other request. What is still to come of a body on its way is read: aiohttp would drop it."""
        self.connection.close()
        if not self._receives():
            super().close()

    def _receives(self) -> bool:
        """Whether a request whose head is there has a body that is not whole yet."""
        request = self._current_request
        if request is not None and not request.content.is_eof():
            return True
        return any(not body.is_eof() for _, body in self._messages)

    def force_close(self) -> None:
        """Close at once."""
        self.connection.close()
        super().force_close()

    def take(self, data: bytes) -> None:
        """Read these bytes, with the parser that they need."""
        self.opening = b""
        if self._body_left == 0 and self._between_requests():
            self.opening = data[:OPENING_BYTES]
            any_method = isinstance(self._parser, AnyMethodParser)
            if not any_method and (has_rare_method(data) or needs_patience(data)):
                self._parser = self._any_method_parser()
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Parse these bytes; aiohttp itself calls this with none to go on with what it has kept."""
        self._body_left = body_left(self._body_left, data)
        for piece in split_at_heads(data):
            super().data_received(piece)
        self._propagate_body_error()
        self._time_head()
        if self.connection.state is CLOSING and not self._receives():
            super().close()

    def _propagate_body_error(self) -> None:
        """Tell who reads a body that the rest of it was refused: aiohttp's compiled parser does not."""
        last = self._messages[-1][0] if self._messages else None
        if not isinstance(last, _ErrInfo) or not isinstance(last.exc, HttpProcessingError):
            return
        if len(self._messages) > 1:
            body = self._messages[-2][1]
        elif self._current_request is not None:
            body = self._current_request.content
        else:
            return
        if not body.is_eof():
            body.set_exception(last.exc)

    def _time_head(self) -> None:
        """Give a head that has begun, and is not whole, its time; one timer for each such head, not for each byte."""
        if not self._awaits_request():
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._settings.head_timeout_s, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        """Answer 408 and close (RFC 9110 section 15.5.9)."""
        self._head_timer = None
        detail = f"the request's head was not whole within {self._settings.head_timeout_s:g} s"
        try:
            self.connection.write(self._malformed(MalformedRequest(408, detail, self.connection.address)))
        except ClientGoneError:
            return
        self.force_close()

    def _process_keepalive(self) -> None:
        """An exchange without aiohttp is no idleness."""
        self._next_keepalive_close_time = max(
            self._next_keepalive_close_time, self.connection.last_activity_s + self._keepalive_timeout
        )
        super()._process_keepalive()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's shape
        """Give the exchange under way `timeout` seconds in all, then close.

        aiohttp's own way reads no byte more of a body and waits twice as long: it gets what is left, for the end.
        """
        patience_s = _LAST_S if timeout is None else max(timeout - 2 * _LAST_S, 0.0)
        began_s = self._loop.time()
        await self.connection.finish_exchange(patience_s)
        if self._task_handler is not None:
            left_s = max(patience_s - (self._loop.time() - began_s), 0.0)
            await asyncio.wait([self._task_handler], timeout=left_s)
            await self._cut_short(self._task_handler)
        await super().shutdown(_LAST_S)

    async def _cut_short(self, handler: asyncio.Task[None]) -> None:
        """End a request that aiohttp has begun; its client sees that once it has ended (as `finish_exchange`)."""
        if self._request_in_progress:
            await asyncio.wait([handler], timeout=2 * _LAST_S)
        if self._request_in_progress:
            handler.cancel()
            await asyncio.wait([handler], timeout=CUT_S)

    def is_idle(self) -> bool:
        """Whether what comes next begins a request, and none is being read or answered."""
        return self._body_left == 0 and self._awaits_request()

    def _awaits_request(self) -> bool:
        """Whether no request is being answered or waits to be, and the client keeps up with reading.

        While aiohttp waits for a message there is none, and nothing but the end of a body can lie before the next one.
        """
        if self.connection.is_answering():
            return False
        waiter = self._waiter
        if waiter is None:
            return self._request_count == 0 and not self._paused and self._between_requests()
        return not (waiter.done() or self._paused or self._force_close)

    def _between_requests(self) -> bool:
        """Whether the parser has nothing before it; the handler of the last request may still be ending."""
        return (
            not self._messages
            and not self._upgraded
            and self._payload_parser is None
            and not self._close
            and not self._force_close
        )

    def _any_method_parser(self) -> AnyMethodParser:
        """The slower parser, for a connection on which a method came that few know."""
        settings = self._settings
        return AnyMethodParser(
            self,
            asyncio.get_running_loop(),
            settings.read_buffer_bytes,
            max_line_size=max(settings.max_line_bytes, settings.max_field_bytes),
            max_field_size=max(settings.max_line_bytes, settings.max_field_bytes),
            max_headers=settings.max_fields,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
        )

    def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: RequestCallback,
    ) -> Coroutine[object, object, tuple[web.StreamResponse, bool]]:
        """As aiohttp's, which notes the request an iteration of the loop after it has taken it from the queue.

        A client that ended its sending side in between would look as if it had asked for nothing.
        """
        self._current_request = request
        return super()._handle_request(request, start_time, request_handler)

    def client_ended(self) -> bool:
        """The client sends no more; what is whole is still answered."""
        self.eof_received()
        if self._receives() or not (self._messages or self._current_request is not None):
            return False
        return self.connection.is_waited_for()

    def has_more(self) -> bool:
        """Whether a request waits for the one under way to be answered."""
        return bool(self._messages)

    async def drained(self) -> None:
        """Wait until the transport's buffer has room again. Raises ConnectionError when the client is gone."""
        await self._drain_helper()

    def feed(self, tunnel: ClientTunnel) -> None:
        """Read no more requests, and let the tunnel have what has come already."""
        self.keep_alive(False)
        self._upgraded = True
        self.set_parser(tunnel)  # type: ignore[arg-type]  # aiohttp calls feed_data and feed_eof only

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's shape
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, then close (RFC 9112 section 2.2)."""
        if isinstance(exc, LineTooLong):
            # A target is too long for any URI here (RFC 9112 section 3).
            status = 414 if self._was_in_request_line(exc) else 431
        elif _TOO_MANY_FIELDS in str(exc):
            status = 431
        if status >= 500:
            logger.error("request handler failed", exc_info=exc)
        try:
            self.connection.write(
                self._malformed(
                    MalformedRequest(status, message or str(exc or ""), self.connection.address, *started(self.opening))
                )
            )
        except ClientGoneError:
            logger.debug("client gone before the refusal of a malformed request")
        return AlreadySent(keep_alive=False)

    def _was_in_request_line(self, error: LineTooLong) -> bool:
        """Whether it was the request line that is too long; of the compiled parser its bound alone tells that."""
        parser = self._parser
        if isinstance(parser, AnyMethodParser):
            return parser.is_in_request_line
        return bool(error.args[1] == self._settings.max_line_bytes)


class Crowd:
    """How many clients are connected, at all listeners of a process, and how many may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.servers: list[FrontServer] = []

    @property
    def connected(self) -> int:
        """How many there are."""
        return sum(len(server.connections) for server in self.servers)

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.connected >= self.most


class FrontServer(web.Server):
    """Makes a `ClientConnection` for each client, aiohttp's protocol its fallback, and ends them in order.

    `crowd` counts the clients of several listeners together. `unnamed_peer` is the address of clients whose socket has
    none.
    """

    def __init__(
        self,
        handler: RequestCallback,
        settings: ConnectionSettings,
        malformed: MalformedCallback,
        fastpath: FastPath | None = None,
        plain: PlainHandler | None = None,
        *,
        crowd: Crowd | None = None,
        unnamed_peer: str = "unix",
    ) -> None:
        super().__init__(handler)
        self._settings = settings
        self._unnamed_peer = unnamed_peer
        self._crowd = crowd or Crowd(settings.most_connections)
        self._crowd.servers.append(self)
        self._malformed = malformed
        self._plain = plain
        call_soon = asyncio.get_running_loop().call_soon
        self._writes = WriteBatch(call_soon)
        self._fastpath = fastpath
        self._last = False
        self._batcher = TickBatcher(call_soon, self._writes, fastpath)

    def end_connections(self) -> None:
        """From now on every answer is the last on its connection; idle ones stay until their client asks or leaves.

        A client that is told so connects anew, and a load balancer sends it elsewhere (RFC 9112 section 9.6).
        """
        self._last = True
        for handler in list(self._connections):
            cast("AiohttpProtocol", handler).connection.end_after_next()

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return self._crowd.full

    def connection(self, address: str | None = None) -> asyncio.Protocol:
        """The protocol of one accepted connection; `address` is the client's where its socket's is not."""
        outgoing = WriteBuffer(self._writes)
        connection = ClientConnection(
            asyncio.get_running_loop(), outgoing, self._batcher, self._settings, self._fastpath, self._plain
        )
        connection.unnamed_peer = self._unnamed_peer
        connection.told_address = address
        connection.set_fallback(AiohttpProtocol(self, self._settings, self._malformed, connection))
        if self._last:
            connection.end_after_next()
        return cast("asyncio.Protocol", connection)
