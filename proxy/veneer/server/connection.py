"""One client connection: which way each request goes, and what leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from veneer.core.address import node_address
from veneer.http1.grammar import HEAD_END
from veneer.loop.turn import Outgoing
from veneer.ports import BytesLike, ClientGoneError
from veneer.server.arrivals import BatchedConnection, TickBatcher
from veneer.server.bounds import CUT_S, ConnectionSettings
from veneer.server.client import WireClient
from veneer.server.link import AiohttpFallback, PendingReply, PlainWay
from veneer.server.plain import read_plain
from veneer.server.quick import FastPath, FastPathHandler
from veneer.server.tunnel import ClientTunnel

HELD_BYTES: Final = 64 * 1024
"""So much of what a client sends ahead of its turn is taken before it has to wait."""


class ClientConnection(BatchedConnection):
    """The transport's protocol, and the `Link` and `ClientTransport` of all who answer.

    It is not derived from asyncio's classes, so that it can be compiled.

    Bytes that begin a request while nothing else goes on wait for the end of the loop's turn. Then they are offered to
    the quick way first, then to the plain one. All others go at once to what stands behind, which says itself when it
    has nothing of this connection any more. While a request is answered without it, what comes after is held.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        outgoing: Outgoing,
        arrivals: TickBatcher,
        settings: ConnectionSettings,
        quick: FastPath | None = None,
        plain: PlainWay | None = None,
    ) -> None:
        super().__init__()
        self._time = loop.time
        self._loop = loop
        self._settings = settings
        self._quick = quick
        self._plain = plain
        self._behind: AiohttpFallback | None = None
        self._transport: asyncio.Transport | None = None
        self._arrivals = arrivals
        self._outgoing = outgoing
        self._address: str | None = None
        self._idle = True
        self._closing = False
        self._last = False
        self._client_ended = False
        self._paused = False
        self._pipelined = b""
        self._answering: asyncio.Task[None] | PendingReply | None = None
        self._attended: WireClient | PendingReply | None = None
        self._ended: asyncio.Future[None] | None = None
        self._used_s = 0.0

    def place(self, behind: AiohttpFallback) -> None:
        """Where all goes that is not answered from here; once, before the connection is made."""
        self._behind = behind

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection, unless it is refused."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._rest.connection_taken(self._transport):
            return
        self._outgoing.open(self._transport)
        if self._quick is not None and not self._last:
            self.talk = self._quick.connect(self, self._outgoing.send)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left. Let go of everything: what stands behind refers to this, and would keep it."""
        behind = self._rest
        self.talk = None
        self.arrived = b""
        self._transport = None
        self._behind = None
        self._outgoing.close()
        behind.connection_lost(exc)
        if self._attended is not None:
            self._attended.leave()
            self._attended = None

    def eof_received(self) -> bool:
        """The client sends no more: the transport closes unless something is still to be answered.

        A client that has gone looks the same. It is found out by the answer, or when what was asked for it has to give
        way to others.
        """
        self._client_ended = True
        self.process_safely()
        self._outgoing.flush()
        if self._answering is None:
            return self._rest.client_ended()
        return self.is_waited_for()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._paused = True
        self._rest.pause_writing()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        self._rest.resume_writing()

    def data_received(self, data: bytes) -> None:
        """What begins a request waits for what else comes in this turn; all else goes where it belongs at once."""
        if self.arrived:
            self.arrived += data
        elif self._at_message_boundary():
            self.arrived = data
            self._arrivals.add(self)
        else:
            self._pass_to_fallback(data)

    def receive(self) -> None:
        """Answer at once where the quick way can, else go the normal way with the same bytes."""
        data, self.arrived = self.arrived, b""
        if not data:
            return
        if not self._at_message_boundary():
            self._pass_to_fallback(data)
            return
        talk = self.talk
        left = data
        if talk is not None:
            left = b"" if talk.answer(data) else self._answer_pipelined(data, talk)
            if self.is_answering():
                self._buffer_pipelined(left)
                return
        if left:
            self._begin(left)
        else:
            self._used_s = self._time()

    def fail(self, error: Exception) -> None:
        """End the connection and report an error of our own, as the loop does with those of `data_received`."""
        message = "a request could not be taken up"
        self._loop.call_exception_handler({"message": message, "exception": error, "protocol": self})
        self.abort()

    # ---- inside

    @property
    def _rest(self) -> AiohttpFallback:
        behind = self._behind
        if behind is None:
            raise ClientGoneError("the client closed the connection")
        return behind

    def _at_message_boundary(self) -> bool:
        """Whether nothing goes on here, and the client keeps up with reading."""
        if self.is_answering() or self._paused:
            return False
        if not self._idle:
            self._idle = self._rest.is_idle()
        return self._idle

    def _pass_to_fallback(self, data: bytes) -> None:
        """Keep what comes before its turn; what stands behind has the rest."""
        if self.is_answering():
            self._buffer_pipelined(data)
        else:
            self._idle = False
            self._rest.take(data)

    def _answer_pipelined(self, data: bytes, talk: FastPathHandler) -> bytes:
        """What is left of several requests in one segment when those at its beginning are answered."""
        start, end = 0, data.find(HEAD_END) + len(HEAD_END)
        if end == len(data):
            return data  # one request, which was offered already
        while end >= len(HEAD_END) and not (self.is_answering() or self._paused) and talk.answer(data[start:end]):
            start = end
            end = data.find(HEAD_END, start) + len(HEAD_END)
        return data[start:]

    def _begin(self, data: bytes) -> None:
        """Answer a plain request in a task, without aiohttp; leave all else to that."""
        settings = self._settings
        if self._plain is not None:
            request = read_plain(data, settings.max_line_bytes - 64, settings.max_fields - 1)
            if request is not None:
                self._answering = self._plain.begin(request, self)
                return
        self._idle = False
        self._rest.take(data)

    def _buffer_pipelined(self, data: bytes) -> None:
        """Keep what comes before its turn; a client that sends much of that has to wait."""
        self._pipelined += data
        if len(self._pipelined) >= HELD_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def _open(self) -> asyncio.Transport:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ClientGoneError("the client closed the connection")
        self._outgoing.flush()
        return transport

    # ---- for what stands behind

    def is_answering(self) -> bool:
        """Whether an exchange is under way that went past what stands behind."""
        return self._answering is not None

    @property
    def last_activity_s(self) -> float:
        """When such an exchange ended last, on the loop's clock; while one goes on or is about to, now."""
        return self._used_s if self._answering is None and not self.arrived else self._time()

    def close(self) -> None:
        """Answer nothing more that comes; the connection ends when what is under way has ended."""
        self.process_safely()
        self._closing = True
        self._idle = False
        self._outgoing.flush()

    def end_after_next(self) -> None:
        """Say with the next answer that it is the last. The quick way's answers are made already, and say nothing."""
        self._last = True
        self.talk = None

    async def settle(self, timeout_s: float | None) -> None:
        """Give the exchange under way so long, then cut it short.

        Its client sees the end no earlier than it has ended: where it was a write, others have been told by then that
        it is in doubt.
        """
        if self._answering is None:
            return
        ended = self._ended = self._loop.create_future()
        await asyncio.wait([ended], timeout=timeout_s)
        if not ended.done():
            self._cancel()
            await asyncio.wait([ended], timeout=CUT_S)

    def _cancel(self) -> None:
        # In a function of its own: what a check has found is believed to the end of a compiled one, waits or not.
        if self._answering is not None:
            self._answering.cancel()

    # ---- Link

    def on_disconnect(self, client: WireClient | None) -> None:
        """Whom to tell when the connection is lost: the client of the exchange under way, if there is one."""
        self._attended = client
        if client is not None and self._client_ended:
            client.ended()

    def reserve_for(self, pending: PendingReply) -> None:
        """Let nothing else be answered before `pending` is."""
        self._answering = pending
        self._attended = pending

    def over(self, *, keep_alive: bool) -> None:
        """The request is answered, or cannot be."""
        self._answering = None
        self._attended = None
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        held, self._pipelined = self._pipelined, b""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not keep_alive or self._closing:
            self._outgoing.flush()
            transport.close()
            return
        self._used_s = self._time()
        if len(held) >= HELD_BYTES:
            transport.resume_reading()
        if held:
            self.data_received(held)
        if self._client_ended:
            self._loop.call_soon(self._end_again)

    def is_waited_for(self) -> bool:
        """Whether a client that sends no more is to get the answer under way; it is told that it may have left."""
        return self._attended is None or self._attended.ended()

    def _end_again(self) -> None:
        """The client's end again, after what came before it and had to wait."""
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self.eof_received():
            transport.close()

    # ---- Wire

    @property
    def is_last(self) -> bool:
        """Whether no request may follow the one that is being answered."""
        if self._last or self._closing:
            return True
        return self._client_ended and not self._pipelined and not (self._behind is not None and self._behind.has_more())

    @property
    def address(self) -> str:
        """The peer's address without port; "unix" on a Unix socket."""
        if self._address is None:
            peer = None if self._transport is None else self._transport.get_extra_info("peername")
            self._address = node_address(str(peer[0])) if isinstance(peer, tuple) else "unix"
        return self._address

    def write(self, data: bytes) -> None:
        """Queue bytes. Raises ClientGoneError when the connection is closed."""
        self._open().write(data)

    def write_all(self, pieces: Sequence[BytesLike]) -> bool:
        """Queue bytes in one go; whether all have left. Raises ClientGoneError when the connection is closed."""
        transport = self._open()
        transport.writelines(pieces)
        return transport.get_write_buffer_size() == 0

    async def drained(self) -> None:
        """Wait until all bytes have left. Raises ClientGoneError when the connection is closed."""
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
            await self._rest.drained()
        except ConnectionError as error:
            raise ClientGoneError(str(error)) from error

    def abort(self) -> None:
        """Cut the connection without flushing."""
        if self._transport is not None:
            self._transport.abort()

    def end_writing(self) -> None:
        """Tell the client that nothing more comes; where only all can be closed (TLS), close."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def set_reading(self, reading: bool) -> None:
        """Pause or resume reading from the socket."""
        if self._transport is None or self._transport.is_closing():
            return
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def take_over(self) -> ClientTunnel:
        """Hand out the raw stream; nothing of it is read as requests any more."""
        tunnel = ClientTunnel(self)
        self._rest.feed(tunnel)
        return tunnel
