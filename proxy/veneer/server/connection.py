"""One client connection: which way each request goes, and what leaves."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from veneer.http1.grammar import HEAD_END
from veneer.loop.batched_writes import WriteBuffer
from veneer.ports import ClientGoneError
from veneer.server.batching import TickBatcher
from veneer.server.client import WireClient
from veneer.server.limits import CUT_S, ConnectionSettings
from veneer.server.plain import read_plain
from veneer.server.ports import (
    AiohttpFallback,
    D,
    FastPath,
    FastPathHandler,
    G,
    H,
    P,
    PendingReply,
    PlainHandler,
)
from veneer.server.states import (
    AIOHTTP,
    BATCHED,
    CLOSED,
    CLOSING,
    ENDING,
    FASTPATH,
    IDLE,
    PLAIN,
    TRANSITIONS,
    TUNNEL,
    ConnectionState,
    TransitionError,
)
from veneer.server.stream import ClientStream
from veneer.server.tunnel import ClientTunnel

PIPELINED_BYTES: Final = 64 * 1024
"""So much of what a client sends ahead of its time is taken before it has to wait."""


class ClientConnection(ClientStream):
    """The transport's protocol, and the `ConnectionHandle` of all who answer.

    It is not derived from asyncio's classes, so that it can be compiled.

    Bytes that begin a request while nothing else goes on wait for the end of the loop's iteration. Then they are
    offered to the fast path first, then to the plain one. All others go at once to the fallback, which says itself when
    it has nothing of this connection any more. While a request is answered without it, what comes after is kept.

    `state` tells whose the next bytes are (server.states). Each change is checked against the table but the two that a
    hit makes, which happen where it can be seen from which state. `_pending` is what answers in FASTPATH, PLAIN and
    ENDING; `_client` is told when the client leaves.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        outgoing: WriteBuffer,
        batcher: TickBatcher,
        settings: ConnectionSettings,
        fastpath: FastPath | None = None,
        plain: PlainHandler | None = None,
    ) -> None:
        super().__init__(outgoing)
        self._time = loop.time
        self._loop = loop
        self._settings = settings
        self._fastpath = fastpath
        self._plain = plain
        self._fallback: AiohttpFallback | None = None
        self._batcher = batcher
        self.state = IDLE
        self._pending: asyncio.Task[None] | PendingReply | None = None
        self._client: WireClient | PendingReply | None = None
        self._tunnel: ClientTunnel | None = None
        self._pipelined = b""
        self._last = False
        self._client_ended = False
        self._done: asyncio.Future[None] | None = None
        self._answered_s = 0.0

    def set_fallback(self, fallback: AiohttpFallback) -> None:
        """Where all goes that is not answered from here; once, before the connection is made."""
        self._fallback = fallback

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection, unless it is refused."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._behind.connection_taken(self._transport):
            return
        self._outgoing.open(self._transport)
        if self._fastpath is not None and not self._last:
            self.handler = self._fastpath.connect(self, self._outgoing.send)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left. Let go of everything: the fallback refers to this, and would keep it."""
        fallback, client = self._behind, self._client
        self._enter(CLOSED)
        self.handler = None
        self.arrived = b""
        self._transport = None
        self._fallback = None
        self._tunnel = None
        self._client = None
        self._outgoing.close()
        fallback.connection_lost(exc)
        if client is not None:
            client.leave()

    def eof_received(self) -> bool:
        """The client sends no more: the transport closes unless something is still to be answered.

        A client that has gone looks the same. It is found out by the answer, or when what was asked for it has to give
        way to others.
        """
        self._client_ended = True
        self._process_safely()
        self._outgoing.flush()
        if self._pending is not None:
            return self.is_waited_for()
        if self._tunnel is not None:
            self._tunnel.feed_eof()
            return True
        return self._behind.client_ended()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._paused = True
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        self._behind.resume_writing()

    def data_received(self, data: bytes) -> None:
        """What begins a request waits for what else comes in this iteration; all else goes where it belongs at once."""
        state = self.state
        if state is IDLE and not self._paused:
            self.state = BATCHED
            self.arrived = data
            self._batcher.add(self)
        elif state is BATCHED:
            self.arrived += data
        elif self._pending is not None:
            self._buffer_pipelined(data)
        elif self._tunnel is not None:
            self._tunnel.feed_data(data)
        elif state is AIOHTTP and not self._paused and self._behind.is_idle():
            self._enter(BATCHED)
            self.arrived = data
            self._batcher.add(self)
        else:
            if state is IDLE:
                self._enter(AIOHTTP)
            self._behind.take(data)

    def process(self) -> None:
        """Answer what has arrived at once where the fast path can, else go the normal way with the same bytes.

        That is a task, without aiohttp, for one plain request; all else is left to that.
        """
        data, self.arrived = self.arrived, b""
        if not data:
            return
        handler = self.handler
        if handler is not None and data[0] in (G, H, P, D) and not self._paused:
            data = b"" if handler.answer(data) else self._answer_pipelined(data, handler)
            if self.state is not BATCHED:
                self._buffer_pipelined(data)
                return
            if not data:
                self.state = IDLE
                self._answered_s = self._time()
                return
        if self._plain is not None and not self._paused:
            settings = self._settings
            request = read_plain(data, settings.max_line_bytes - 64, settings.max_fields - 1)
            if request is not None:
                self._enter(PLAIN)
                self._pending = self._plain.begin(request, self)
                return
        self._enter(AIOHTTP)
        self._behind.take(data)

    def fail(self, error: Exception) -> None:
        """End the connection and report an error of our own, as the loop does with those of `data_received`."""
        message = "a request could not be taken up"
        self._loop.call_exception_handler({"message": message, "exception": error, "protocol": self})
        if self.state is BATCHED:
            self._enter(CLOSING)
        self.abort()

    # ---- inside

    def _enter(self, state: ConnectionState) -> None:
        """Change the state. Raises TransitionError."""
        if state not in TRANSITIONS[self.state]:
            raise TransitionError(self.state, state)
        self.state = state

    @property
    def _behind(self) -> AiohttpFallback:
        """The fallback. Raises ClientGoneError when the connection is lost."""
        fallback = self._fallback
        if fallback is None:
            raise ClientGoneError("the client closed the connection")
        return fallback

    def _process_safely(self) -> None:
        """Take up what has arrived before what comes now."""
        try:
            self.process()
        except Exception as error:  # noqa: BLE001 - as `TickBatcher` does
            self.fail(error)

    def _answer_pipelined(self, data: bytes, handler: FastPathHandler) -> bytes:
        """What is left of several requests in one segment when those at its beginning are answered."""
        start, end = 0, data.find(HEAD_END) + len(HEAD_END)
        if end == len(data):
            return data  # one request, which it was asked about already
        while end >= len(HEAD_END) and self.state is BATCHED and not self._paused and handler.answer(data[start:end]):
            start = end
            end = data.find(HEAD_END, start) + len(HEAD_END)
        return data[start:]

    def _buffer_pipelined(self, data: bytes) -> None:
        """Keep what comes before its time; a client that sends much of that has to wait."""
        self._pipelined += data
        if len(self._pipelined) >= PIPELINED_BYTES and self._transport is not None:
            self._transport.pause_reading()

    # ---- for the fallback

    def is_answering(self) -> bool:
        """Whether an exchange is under way that went past the fallback."""
        return self._pending is not None

    @property
    def last_activity_s(self) -> float:
        """When such an exchange ended last, on the loop's clock; while one goes on or is about to, now."""
        return self._answered_s if self._pending is None and not self.arrived else self._time()

    def close(self) -> None:
        """Answer nothing more that comes; the connection ends when what is under way has ended, and a tunnel now."""
        self._process_safely()
        state = self.state
        if state is FASTPATH or state is PLAIN:
            self._enter(ENDING)
        elif state is IDLE or state is AIOHTTP:
            self._enter(CLOSING)
        elif self._tunnel is not None:
            self._tunnel.stop()
        self._outgoing.flush()

    def end_after_next(self) -> None:
        """Say with the next answer that it is the last. The fast path's answers are made already, and say nothing."""
        self._last = True
        self.handler = None

    async def finish_exchange(self, timeout_s: float | None) -> None:
        """Give the exchange under way so long, then cut it short.

        Its client sees the end no earlier than it has ended: where it was a write, others have been told by then that
        it is in doubt.
        """
        if self._pending is None:
            return
        done = self._done = self._loop.create_future()
        await asyncio.wait([done], timeout=timeout_s)
        if not done.done():
            self._cancel()
            await asyncio.wait([done], timeout=CUT_S)

    def _cancel(self) -> None:
        # In a function of its own: what a check has found is believed to the end of a compiled one, waits or not.
        if self._pending is not None:
            self._pending.cancel()

    # ---- ConnectionHandle

    def on_disconnect(self, client: WireClient | None) -> None:
        """Whom to tell when the connection is lost: the client of the exchange under way, if there is one."""
        self._client = client
        if client is not None and self._client_ended:
            client.ended()

    def reserve_for(self, pending: PendingReply) -> None:
        """Let nothing else be answered before `pending` is."""
        self._enter(FASTPATH)
        self._pending = pending
        self._client = pending

    def exchange_done(self, *, keep_alive: bool) -> None:
        """The request is answered, or cannot be."""
        self._pending = None
        self._client = None
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
        held, self._pipelined = self._pipelined, b""
        transport = self._transport
        if transport is None:
            return
        if not keep_alive or self.state is ENDING or transport.is_closing():
            self._enter(CLOSING)
            self._outgoing.flush()
            transport.close()
            return
        self._enter(IDLE)
        self._answered_s = self._time()
        if len(held) >= PIPELINED_BYTES:
            transport.resume_reading()
        if held:
            self.data_received(held)
        if self._client_ended:
            self._loop.call_soon(self._end_again)

    def is_waited_for(self) -> bool:
        """Whether a client that sends no more is to get the answer under way; it is told that it may have left."""
        return self._client is None or self._client.ended()

    def _end_again(self) -> None:
        """The client's end again, after what came before it and had to wait."""
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self.eof_received():
            transport.close()

    @property
    def is_last(self) -> bool:
        """Whether no request may follow the one that is being answered."""
        if self._last or self.state is ENDING or self.state is CLOSING:
            return True
        fallback = self._fallback
        return self._client_ended and not self._pipelined and not (fallback is not None and fallback.has_more())

    async def drain(self) -> None:
        """Wait while the client is slow. Raises ClientGoneError when it is gone."""
        if not self._paused:
            return
        try:
            await self._behind.drained()
        except ConnectionError as error:
            raise ClientGoneError(str(error)) from error

    def detach_stream(self) -> ClientTunnel:
        """Hand out the raw stream; nothing of it is read as requests any more."""
        fallback = self._behind
        self._enter(TUNNEL)
        tunnel = self._tunnel = ClientTunnel(self)
        fallback.feed(tunnel)
        return tunnel
