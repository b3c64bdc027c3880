"""The one file that leans on aiohttp's server internals: connections, errors, and what happens after the handler.

aiohttp parses requests and runs one handler at a time per connection. The response is written by our own client
adapter, so the handler returns a `Sent` marker that aiohttp has nothing left to do with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.app.server.bounds import ConnectionSettings, MalformedCallback, MalformedRequest
from proxy.app.server.client import WireClient
from proxy.app.server.link import Pending, PlainWay, QuickTalk, QuickWay
from proxy.app.server.octets import HEAD_END, body_left, has_rare_method, parted
from proxy.app.server.plain import read_plain
from proxy.app.server.tunnel import ClientTunnel
from proxy.ports import ClientGoneError, Octets

logger = logging.getLogger(__name__)

_TOO_MANY_FIELDS = "Too many headers received"  # aiohttp has no exception of its own for it

HELD_BYTES = 64 * 1024
"""So much of what a client sends ahead of its turn is taken before it has to wait."""

RequestCallback = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Sent(web.StreamResponse):
    """Tells aiohttp that the response has left already, and whether the connection may be reused."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._may_keep_alive = keep_alive

    @property
    def keep_alive(self) -> bool | None:
        """Whether another request may follow on the connection."""
        return self._may_keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002 - aiohttp's shape
        """Nothing: the head was sent."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the body was sent."""


class PatientParser(HttpRequestParserPy):
    """aiohttp's Python parser without its habit of turning methods into upper case (RFC 9110 section 9.1)."""

    def parse_message(self, lines: list[bytes]) -> RawRequestMessage:
        """The request line and fields. Raises BadHttpMethod for a method that is not in upper case."""
        method = lines[0].partition(b" ")[0]
        if method != method.upper():
            raise BadHttpMethod(method.decode("latin-1"))
        return super().parse_message(lines)


class ConnectionProtocol(RequestHandler):
    """One client connection; also the `Wire` of the client adapter and of tunnels.

    Octets that begin a request while nothing else goes on are offered to the quick way first, and may move the
    connection to another parser. `_body_left` tells how much of a body is still to come before the next request begins;
    None once that cannot be told any more: a guess here would let one request's octets be read as another's.
    While a plain request is answered what comes after it is held until that is over. A head that has begun has to be
    whole in time.
    """

    __slots__ = (
        "_address",
        "_answering",
        "_attended",
        "_body_left",
        "_ended",
        "_front",
        "_head_timer",
        "_held",
        "_malformed",
        "_plain",
        "_quick",
        "_settings",
        "_talk",
    )

    def __init__(
        self,
        server: FrontServer,
        settings: ConnectionSettings,
        malformed: MalformedCallback,
        quick: QuickWay | None = None,
        plain: PlainWay | None = None,
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
        self._front = server
        self._head_timer: asyncio.TimerHandle | None = None
        self._malformed = malformed
        self._settings = settings
        self._quick = quick
        self._plain = plain
        self._answering: asyncio.Task[None] | Pending | None = None
        self._ended: asyncio.Future[None] | None = None
        self._held = b""
        self._body_left: int | None = 0
        self._address: str | None = None
        self._attended: WireClient | Pending | None = None
        self._talk: QuickTalk | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection, or refuse it where there are too many."""
        if self._front.full:
            self._turn_away(cast("asyncio.Transport", transport))
            return
        super().connection_made(transport)
        if self._quick is not None and self.transport is not None:
            self._talk = self._quick.meet(self, self.transport.write)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left. Let go of everything; the quick way holds the transport."""
        self._talk = None
        self._stop_head_timer()
        super().connection_lost(exc)
        if self._attended is not None:
            self._attended.leave()
            self._attended = None

    def _turn_away(self, transport: asyncio.Transport) -> None:
        """Say 503 and close; aiohttp never learns of the connection."""
        self.force_close()
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else "unix"
        transport.write(self._malformed(MalformedRequest(503, "too many connections; try again later", address)))
        transport.close()

    @property
    def address(self) -> str:
        """The peer's address without port; "unix" on a Unix socket."""
        if self._address is None:
            peer = self.peername
            self._address = str(peer[0]) if isinstance(peer, tuple) else "unix"
        return self._address

    def attend(self, client: WireClient | None) -> None:
        """Whom to tell when the connection is lost: the client of the exchange under way, if there is one."""
        self._attended = client

    def await_answer(self, pending: Pending) -> None:
        """Let nothing else be answered before `pending` is."""
        self._answering = self._attended = pending

    def data_received(self, data: bytes) -> None:
        """Answer at once where the quick way can, else go the normal way with the same octets."""
        if self._is_answering():
            self._hold(data)
            return
        talk = self._talk
        waits = bool(data) and self._body_left == 0 and self._waits()
        if talk is not None and waits:
            left = b"" if talk.answer(data) else self._rest_of(data, talk)
            if self._is_answering():
                self._hold(left)
                return
            if not left:
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                return
            data = left
        if waits and self._plain is not None:
            request = read_plain(data, self._settings.max_line_bytes - 64, self._settings.max_fields - 1)
            if request is not None:
                self._answering = self._plain.begin(request, self)
                return
        if self._body_left == 0 and self._between_requests() and has_rare_method(data):
            self._parser = self._patient_parser()
        self._body_left = body_left(self._body_left, data)
        for piece in parted(data):
            super().data_received(piece)
        self._tell_reader()
        self._time_head()

    def _tell_reader(self) -> None:
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
        """Give a head that has begun, and is not whole, its time; one timer for each such head, not for each octet."""
        if not self._waits():
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
            self.write(self._malformed(MalformedRequest(408, detail, self.address)))
        except ClientGoneError:
            return
        self.force_close()

    def _is_answering(self) -> bool:
        return self._answering is not None

    def _hold(self, data: bytes) -> None:
        """Keep what comes before its turn; a client that sends much of that has to wait."""
        self._held += data
        if len(self._held) >= HELD_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def over(self, *, keep_alive: bool) -> None:
        """The plain request is answered, or cannot be."""
        self._answering = self._attended = None
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        held, self._held = self._held, b""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if not keep_alive or self._close or self._force_close:
            transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if len(held) >= HELD_BYTES:
            transport.resume_reading()
        if held:
            self.data_received(held)

    def _process_keepalive(self) -> None:
        """An exchange without aiohttp is no idleness."""
        if self._answering is not None:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's shape
        """Give the exchange under way `timeout` seconds, then close."""
        if self._answering is not None:
            self._ended = self._loop.create_future()
            await asyncio.wait([self._ended], timeout=timeout)
        if self._answering is not None:
            self._answering.cancel()
        await super().shutdown(timeout)

    def _between_requests(self) -> bool:
        """Whether the parser has nothing before it; the handler of the last request may still be ending."""
        return (
            not self._messages
            and not self._upgraded
            and self._payload_parser is None
            and not self._close
            and not self._force_close
        )

    def _waits(self) -> bool:
        """Whether no request is being answered or waits to be, and the client keeps up with reading.

        While aiohttp waits for a message there is none, and nothing but the end of a body can lie before the next one.
        """
        if self._is_answering():
            return False
        waiter = self._waiter
        if waiter is None:
            return self._request_count == 0 and not self._paused and self._between_requests()
        return not (waiter.done() or self._paused or self._force_close)

    def _rest_of(self, data: bytes, talk: QuickTalk) -> bytes:
        """What is left of several requests in one segment when those at its beginning are answered."""
        start, end = 0, data.find(HEAD_END) + len(HEAD_END)
        if end == len(data):
            return data  # one request, which was offered already
        while end >= len(HEAD_END) and self._waits() and talk.answer(data[start:end]):
            start = end
            end = data.find(HEAD_END, start) + len(HEAD_END)
        return data[start:]

    def _patient_parser(self) -> PatientParser:
        """The slower parser, for a connection on which a method came that few know."""
        settings = self._settings
        return PatientParser(
            self,
            asyncio.get_running_loop(),
            settings.read_buffer_bytes,
            max_line_size=settings.max_line_bytes,
            max_field_size=settings.max_field_bytes,
            max_headers=settings.max_fields,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
        )

    def write(self, data: bytes) -> None:
        """Queue octets. Raises ClientGoneError when the connection is closed."""
        self._open().write(data)

    def write_all(self, pieces: Sequence[Octets]) -> bool:
        """Queue octets in one go; whether all have left. Raises ClientGoneError when the connection is closed."""
        transport = self._open()
        transport.writelines(pieces)
        return transport.get_write_buffer_size() == 0

    def _open(self) -> asyncio.Transport:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ClientGoneError("the client closed the connection")
        return transport

    async def emptied(self) -> None:
        """Wait until all octets have left. Raises ClientGoneError when the connection is closed."""
        transport = self._open()
        transport.set_write_buffer_limits(high=0)
        try:
            await self.drain()
        finally:
            if not transport.is_closing():
                transport.set_write_buffer_limits()

    async def drain(self) -> None:
        """Wait while the client is slow. Raises ClientGoneError when it is gone."""
        if not self._paused:
            return
        try:
            await self._drain_helper()
        except ConnectionError as error:
            raise ClientGoneError(str(error)) from error

    def abort(self) -> None:
        """Cut the connection without flushing."""
        if self.transport is not None:
            self.transport.abort()

    def set_reading(self, reading: bool) -> None:
        """Pause or resume reading from the socket."""
        if self.transport is None or self.transport.is_closing():
            return
        if reading:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def take_over(self) -> ClientTunnel:
        """Stop parsing requests and hand out the raw stream."""
        tunnel = ClientTunnel(self)
        self.keep_alive(False)
        self._upgraded = True
        self.set_parser(tunnel)  # type: ignore[arg-type]  # aiohttp calls feed_data and feed_eof only
        return tunnel

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's shape
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, then close (RFC 9112 section 2.2)."""
        if isinstance(exc, LineTooLong):
            # Which line is told by its bound alone; a target is too long for any URI here (RFC 9112 section 3).
            status = 414 if exc.args[1] == self._settings.max_line_bytes else 431
        elif _TOO_MANY_FIELDS in str(exc):
            status = 431
        if status >= 500:
            logger.error("request handler failed", exc_info=exc)
        try:
            self.write(self._malformed(MalformedRequest(status, message or str(exc or ""), self.address)))
        except ClientGoneError:
            logger.debug("client gone before the refusal of a malformed request")
        return Sent(keep_alive=False)


class FrontServer(web.Server):
    """Makes a `ConnectionProtocol` for each client connection and closes them in order at the end."""

    def __init__(
        self,
        handler: RequestCallback,
        settings: ConnectionSettings,
        malformed: MalformedCallback,
        quick: QuickWay | None = None,
        plain: PlainWay | None = None,
    ) -> None:
        super().__init__(handler)
        self._settings = settings
        self._malformed = malformed
        self._quick = quick
        self._plain = plain

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self._connections) >= self._settings.most_connections

    def __call__(self) -> ConnectionProtocol:
        """One protocol per accepted connection."""
        return ConnectionProtocol(self, self._settings, self._malformed, self._quick, self._plain)
