"""One connection to a backend: an asyncio protocol that carries one exchange after another."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sequence
from typing import Final, cast

from veneer.http1.framing import MalformedError
from veneer.http1.parser import Phase, ResponseParser
from veneer.loop.turn import Outgoing, WriteBatch
from veneer.ports import ByteSink, BytesLike, FirstBytesHandler, InterimSink, UpstreamError, UpstreamFailure
from veneer.upstream.buffer import BEGINNING_BYTES, READ_BYTES, ReadBuffer
from veneer.upstream.owner import ConnectionOwner
from veneer.upstream.settings import PoolSettings
from veneer.upstream.silence import ReadTimer

MAX_FILLED: Final = 4
"""So many full buffers pour before others have their turn: a millisecond's work."""


class Connection:
    """Feeds the parser, wakes whoever waits, holds back a fast backend, and counts silence.

    It is an asyncio.BufferedProtocol to uvloop, which looks at the methods, and an asyncio.Protocol to asyncio's own
    loop; derived from neither, so that it can be compiled.

    One consumer waits at a time. A failure is kept and raised to that consumer; the transport is closed with it.
    Until it asks for the body no more than a beginning is read ahead. `idle_until_s` and `retire_s` are for the
    pool: until when (monotonic) it may be used again after it was last used, and at all.

    It may also let the body *pour*: what arrives goes to an outlet within the callback that read it, as long as the
    outlet takes it. The consumer is woken at the end, or when the outlet is *clogged*.
    """

    def __init__(
        self,
        settings: PoolSettings,
        loop: asyncio.AbstractEventLoop,
        turn: WriteBatch,
        buffer: ReadBuffer,
        owner: ConnectionOwner,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._buffer = buffer
        self._owner = owner
        self.parser = ResponseParser(settings.max_head_bytes, settings.max_fields)
        self.transport: asyncio.Transport | None = None
        self._outgoing = Outgoing(turn)
        self.served = 0
        self.idle_until_s = self.retire_s = 0.0
        self.busy = False
        self.closed = False
        self.failure: UpstreamError | None = None
        self.body_error: Exception | None = None
        self.request_sent = False
        self.continued = False
        self.ended = False
        self.write_blocked = False
        self._cut: list[memoryview] = []
        self._filled = 0
        self._first_room = min(BEGINNING_BYTES // 2, settings.body_buffer_bytes)
        self._room = 0
        self._outlet: ByteSink | None = None
        self._on_interim: InterimSink | None = None
        self._taker: FirstBytesHandler | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._continue_waiter: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._buffered = 0
        self._poll: select.poll | None = None
        self.silence = ReadTimer(settings.read_timeout_s, loop, self._fallen_silent)

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; watch its socket for bytes that come while nobody asked."""
        self.transport = cast("asyncio.Transport", transport)
        self._outgoing.open(self.transport)
        socket = transport.get_extra_info("socket")
        if socket is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's shape
        """Where the next bytes go; they are dealt with before anything else is read."""
        return self._buffer.view if self.parser.final is not None else self._buffer.beginning

    def buffer_updated(self, nbytes: int) -> None:
        """Pour what is body from where it lies; parse a copy of what is not."""
        raw = self._buffer.view[:nbytes]
        if self._outlet is None:
            self.data_received(raw.tobytes())
            return
        self._cut, done = self.parser.cut(raw)
        self.data_received(raw[done:].tobytes())
        if self.write_blocked:
            self._buffer.give_away()
        self._let_others(nbytes)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; bytes nobody asked for end the connection (RFC 9112 section 9.2)."""
        if not self.busy:
            self.abort()
            return
        if self._taker is not None and self._taken(self._taker, data):
            return
        parser = self.parser
        try:
            parser.feed(data)
        except MalformedError as error:
            self._relay_interims()
            self._pour_parsed()
            self.fail(UpstreamFailure.MALFORMED, str(error))
            return
        if parser.interims:
            self._relay_interims()
        self._pour_parsed()
        self._advance(len(data))

    def _advance(self, size: int) -> None:
        """See where the exchange stands now that `size` bytes more have been dealt with."""
        if self.parser.phase is Phase.DONE:
            self.silence.end()
            if not self.parser.reusable and self.transport is not None:
                self.transport.pause_reading()
            self.wake()
            return
        if self.parser.phase is Phase.TUNNEL:
            self.silence.end()  # here it counts both ways, for whoever passes the bytes on
        else:
            self.silence.heard()
        if self._outlet is None:
            self._buffered += size
            # Nobody takes the bytes of a head away, which the parser bounds: held back, it would never go on.
            if self._buffered > self._room and self.parser.final is not None:
                self._pause_reading()
            self.wake()

    def eof_received(self) -> bool:
        """The backend has nothing more to send; a tunnel's other direction stays open."""
        self.ended = True
        if not self.busy:
            return False
        if self.parser.phase is Phase.TUNNEL:
            self.wake()
            return True
        if not self.parser.end():
            self._fail_incomplete("the backend closed the connection")
        self.wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was under way has failed unless it was whole."""
        self.closed = self.ended = True
        self._poll = None
        self._outgoing.close()
        self.silence.close()
        if self.busy and self.failure is None and not self._carried:
            self._fail_incomplete(str(exc) if exc else "the connection was closed")
        self._writing_paused = False
        self._settle(self._drain_waiter)
        self.wake()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._writing_paused = False
        self._settle(self._drain_waiter)

    # ---- one exchange

    def usable(self) -> bool:
        """Whether a request may be written: still open, and nothing unread has come since the last response."""
        if self.ended or self.transport is None or self.transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def start(
        self,
        head: bytes,
        *,
        for_head: bool,
        upgrading: bool,
        on_interim: InterimSink | None = None,
        taker: FirstBytesHandler | None = None,
    ) -> None:
        """Write a request head and expect its response.

        `taker` is offered the first bytes; where it has passed on, it takes 1xx responses in place of `on_interim`.
        """
        assert self.transport is not None
        self.parser.begin(for_head=for_head, upgrading=upgrading)
        self.busy = True
        self.continued = False
        self._room = self._first_room
        self._on_interim = on_interim
        self._taker = taker
        self._buffered = 0
        self.request_sent = False
        self.body_error = None
        self._outgoing.send([head])

    def listen(self) -> None:
        """The whole request has been sent: from now on silence counts."""
        self.request_sent = True
        if not self._carried and not self._reading_paused:
            self.silence.begin()

    async def write(self, data: bytes) -> None:
        """Write, waiting while the backend is slow.

        Raises UpstreamError WRITE_TIMEOUT, or why the connection has ended.
        """
        self._raise_failure()
        if self.closed or self.transport is None:
            raise UpstreamError(UpstreamFailure.RESET, "the connection was closed", sent=True)
        self._outgoing.flush()
        self.transport.write(data)
        if not self._writing_paused:
            return
        self._drain_waiter = self._loop.create_future()
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._drain_waiter
        except TimeoutError:
            limit = self._settings.write_timeout_s
            self.fail(UpstreamFailure.WRITE_TIMEOUT, f"the backend took no bytes for {limit:g} s")
        finally:
            self._drain_waiter = None
        self._raise_failure()

    def check(self) -> None:
        """Raise why no response head can come any more: UpstreamError, or what the request body raised."""
        if self.body_error is not None:
            raise self._take_body_error()
        self._raise_failure()

    def _take_body_error(self) -> Exception:
        # What is raised refers to the frames that it comes through, and they to this: kept here, it would be a cycle.
        error, self.body_error = self.body_error, None
        assert error is not None
        return error

    def _raise_failure(self) -> None:
        # In a function of its own: what a check has found is believed to the end of a compiled one, waits or not.
        if self.failure is not None:
            raise self.failure.again()

    def change(self) -> asyncio.Future[None]:
        """Done as soon as bytes have arrived or the connection has ended. One consumer waits at a time."""
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def wake(self) -> None:
        """Let the consumer look again."""
        if self._taker is not None:
            self._pass_on(self._taker)
        self._settle(self._waiter)
        if self._continue_waiter is not None and (self.continued or self.over):
            self._settle(self._continue_waiter)

    @property
    def over(self) -> bool:
        """Whether the final head has arrived, or none can arrive any more."""
        return self.parser.final is not None or self.failure is not None or self.closed

    async def may_continue(self) -> bool:
        """Wait for 100 Continue, but not for ever (RFC 9110 section 10.1.1); False when an answer came instead."""
        if not self.continued and not self.over:
            self._continue_waiter = self._loop.create_future()
            try:
                async with asyncio.timeout(self._settings.continue_timeout_s):
                    await self._continue_waiter
            except TimeoutError:
                return True
            finally:
                self._continue_waiter = None
        return self.continued and not self.over

    def take(self) -> list[bytes]:
        """The body pieces that have arrived; a held-back backend may go on."""
        self._room = self._settings.body_buffer_bytes
        pieces = self._take_pieces()
        self._resume_reading()
        return pieces

    def pour(self, outlet: ByteSink) -> None:
        """Let `outlet` have what has arrived and from now on what arrives, unless it is clogged."""
        self._outlet = outlet
        self.write_blocked = False
        self._pour_parsed()
        if not self.write_blocked:
            self._resume_reading()

    def finish(self) -> None:
        """The exchange is over and whole; the connection may be used again."""
        self.busy = False
        self._on_interim = self._taker = None
        self._outlet = None
        self.served += 1

    def fail(self, failure: UpstreamFailure, detail: str) -> None:
        """End the exchange with an error and the connection with it."""
        if self.failure is None:
            self.failure = UpstreamError(failure, detail, sent=True)
        self.abort()
        self.wake()

    def body_failed(self, error: Exception) -> None:
        """The request's body cannot be sent whole: the backend must not take it for complete."""
        self.body_error = error.with_traceback(None)
        self.abort()
        self.wake()

    def abort(self) -> None:
        """Close at once; nothing that is still buffered goes out."""
        self.ended = True
        self.silence.end()
        self._outgoing.close()
        self._outlet = None
        if self.transport is not None:
            self.transport.abort()

    # ---- inside

    def _taken(self, taker: FirstBytesHandler, data: bytes) -> bool:
        """Offer the first bytes of a response; whether they were all of it, so that the exchange is over."""
        if taker.take(data):
            self.silence.end()
            self._owner.freed(self)
            return True
        self._pass_on(taker)
        return False

    def _pass_on(self, taker: FirstBytesHandler) -> None:
        self._taker = None
        self._on_interim = taker.interim
        taker.pass_on()

    @property
    def _carried(self) -> bool:
        """Whether nothing more is due from the backend: its response is whole, or a tunnel speaks at its leisure."""
        phase = self.parser.phase
        return phase is Phase.DONE or phase is Phase.TUNNEL

    def _fail_incomplete(self, detail: str) -> None:
        if self.parser.final is None:
            self.failure = UpstreamError(UpstreamFailure.RESET, f"{detail} before a whole response head", sent=True)
        else:
            self.failure = UpstreamError(UpstreamFailure.TRUNCATED, f"{detail} in the middle of a response", sent=True)

    def _relay_interims(self) -> None:
        interims, self.parser.interims = self.parser.interims, []
        for head in interims:
            if head.status == 100:
                self.continued = True
            elif self._on_interim is not None:
                self._on_interim(head)

    def _take_pieces(self) -> list[bytes]:
        parser = self.parser
        pieces, parser.pieces = parser.pieces, []
        self._buffered = 0
        return pieces

    def _pour_parsed(self) -> None:
        cut, self._cut = self._cut, []
        if self._outlet is not None and (cut or self.parser.pieces):
            self._pour(self._outlet, [*cut, *self._take_pieces()])

    def _pour(self, outlet: ByteSink, pieces: Sequence[BytesLike]) -> None:
        """Push bytes out. Where they do not all leave at once, nothing more is read until the consumer says so."""
        try:
            self.write_blocked = not outlet.push(pieces)
        except ConnectionError:
            self.write_blocked = True  # the consumer finds out why when it waits for the outlet
        if self.write_blocked and self.parser.phase is not Phase.DONE:
            self._pause_reading()
            self.wake()

    def _resume_reading(self) -> None:
        if self._reading_paused and self.transport is not None and not self.closed:
            self._reading_paused = False
            self.transport.resume_reading()
            if self.request_sent:
                self.listen()

    def _let_others(self, size: int) -> None:
        """Let go of the loop now and then: it reads on within one callback for as long as a buffer is filled."""
        self._filled = self._filled + 1 if size == READ_BYTES else 0
        if self._filled == MAX_FILLED:
            self._filled = 0
            if not self._reading_paused and self.parser.phase is not Phase.DONE:
                self._pause_reading()
                self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self.write_blocked:
            self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused and self.transport is not None and not self.transport.is_closing():
            self._reading_paused = True
            self.silence.end()
            self.transport.pause_reading()

    def _fallen_silent(self) -> None:
        self.fail(UpstreamFailure.READ_TIMEOUT, f"the backend sent nothing for {self.silence.limit_s:g} s")

    @staticmethod
    def _settle(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
