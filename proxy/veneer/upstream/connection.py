"""One connection to a backend: an asyncio protocol that carries one exchange after another."""

from __future__ import annotations

import asyncio
import select
from abc import abstractmethod
from typing import Final, cast

from mypy_extensions import mypyc_attr

from veneer.http1.framing import MalformedError
from veneer.http1.parser import MessagePart, ResponseParser
from veneer.loop.batched_writes import WriteBatch, WriteBuffer
from veneer.ports import ByteSink, FirstBytesHandler, InterimSink, UpstreamError, UpstreamFailure
from veneer.upstream.buffer import ReadBuffer
from veneer.upstream.flow import ReadFlow, ReadTimer, Waker
from veneer.upstream.gate import Place
from veneer.upstream.phase import ENDED, TRANSITIONS, UNDER_WAY, ExchangeEvent, ExchangePhase, PhaseError
from veneer.upstream.readers import BodyReader, Pull, SinkReader
from veneer.upstream.settings import PoolSettings

# To look a member of an Enum up runs Python.
_IDLE: Final = ExchangePhase.IDLE
_SENDING: Final = ExchangePhase.SENDING
_AWAITING: Final = ExchangePhase.AWAITING
_RECEIVING: Final = ExchangePhase.RECEIVING
_WHOLE: Final = ExchangePhase.WHOLE
_WHOLE_EARLY: Final = ExchangePhase.WHOLE_EARLY
_TUNNEL: Final = ExchangePhase.TUNNEL
_CLOSED: Final = ExchangePhase.CLOSED
_REQUEST_WRITTEN: Final = ExchangeEvent.REQUEST_WRITTEN
_HEAD: Final = ExchangeEvent.HEAD
_RESPONSE_ENDED: Final = ExchangeEvent.RESPONSE_ENDED
_RELEASED: Final = ExchangeEvent.RELEASED


@mypyc_attr(allow_interpreted_subclasses=True)
class ConnectionOwner:
    """Whom connections belong to. A class to derive from: a call of its methods is direct where both are compiled."""

    @abstractmethod
    def closed(self, connection: Connection) -> None:
        """The connection is closed."""

    @abstractmethod
    def released(self, connection: Connection, reusable: bool) -> None:
        """The connection has carried an exchange that is over; whether it may carry another."""


class Connection:
    """Feeds the parser, wakes whoever waits, holds back a fast backend, and counts silence.

    It is an asyncio.BufferedProtocol to uvloop, which looks at the methods, and an asyncio.Protocol to asyncio's own
    loop; derived from neither, so that it can be compiled.

    Where it stands is its `phase`. One consumer waits at a time. A failure is kept and raised to that consumer; the
    transport is closed with it. `idle_until_s` and `retire_s` are for the pool: until when (monotonic) it may be used
    again after it was last used, and at all. `place` is what it holds at the pool's gate.
    The body of a response waits to be taken, or streams into a sink (`veneer.upstream.readers`).
    """

    def __init__(
        self,
        settings: PoolSettings,
        loop: asyncio.AbstractEventLoop,
        batch: WriteBatch,
        buffer: ReadBuffer,
        owner: ConnectionOwner,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._buffer = buffer
        self._owner = owner
        self.phase = ExchangePhase.CONNECTING
        self.parser = ResponseParser(settings.max_head_bytes, settings.max_fields)
        self.transport: asyncio.Transport | None = None
        self._outgoing = WriteBuffer(batch)
        self.served = 0
        self.idle_until_s = self.retire_s = 0.0
        self.place: Place | None = None
        self.failure: UpstreamError | None = None
        self.body_error: Exception | None = None
        self.timer = ReadTimer(settings.read_timeout_s, loop, self._on_read_timeout)
        self._flow = ReadFlow(self.timer)
        self._progress = Waker(loop)
        self._drained = Waker(loop)
        self._answered = Waker(loop)
        self._pull = Pull(self.parser, self._flow, self._progress, settings.body_buffer_bytes)
        self._sink_reader: SinkReader | None = None
        self._first: FirstBytesHandler | None = None
        self._on_interim: InterimSink | None = None
        self._poll: select.poll | None = None
        self._continued = self._writing_paused = False

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; watch its socket for bytes that come while nobody asked."""
        self.transport = self._flow.transport = cast("asyncio.Transport", transport)
        self._outgoing.open(self.transport)
        self._move(ExchangeEvent.CONNECTED)
        socket = transport.get_extra_info("socket")
        if socket is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's shape
        """Where the next bytes go; they are dealt with before anything else is read."""
        return self._buffer.view if self.parser.final is not None else self._buffer.beginning

    def buffer_updated(self, nbytes: int) -> None:
        """Stream what is body from where it lies; parse a copy of what is not."""
        raw = self._buffer.view[:nbytes]
        reader = self._sink_reader
        if reader is None:
            self.data_received(raw.tobytes())
        else:
            done = reader.split(raw)  # compiled, a call within the bounds of a slice is made twice
            self.data_received(raw[done:].tobytes())
            reader.dealt_with(nbytes)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; bytes nobody asked for end the connection (RFC 9112 section 9.2)."""
        if self.phase is _IDLE:
            self.abort()
            return
        first = self._first
        if first is not None:
            if first.take(data):  # they were all of a response: the exchange is over
                self._move(_RESPONSE_ENDED)
                self._flow.expect_nothing()
                self._owner.released(self, True)
                return
            self._pass_on(first)
        parser = self.parser
        reader: BodyReader = self._pull if self._sink_reader is None else self._sink_reader
        try:
            parser.feed(data)
        except MalformedError as error:
            self._relay_interims()
            reader.parsed(0)
            self.fail(UpstreamFailure.MALFORMED, str(error))
            return
        if parser.interims:
            self._relay_interims()
        reader.parsed(len(data))
        if parser.final is None:
            self.timer.touch()
        elif self.phase not in ENDED:
            self._advance(parser.part)

    def _advance(self, part: MessagePart) -> None:
        """See where the exchange stands now that more of the response is here."""
        if part is MessagePart.DONE:
            if self.phase is not _WHOLE and self.phase is not _WHOLE_EARLY:
                self._move(_RESPONSE_ENDED)
                self._flow.expect_nothing()
            if not self.parser.reusable and self.transport is not None:
                self.transport.pause_reading()
            self._progress.wake()
        elif part is MessagePart.TUNNEL:
            if self.phase is not _TUNNEL:
                self._move(ExchangeEvent.SWITCHED)
                self._flow.expect_nothing()  # here silence counts both ways, for whoever passes the bytes on
        else:
            if self.phase is _AWAITING or self.phase is _SENDING:
                self._move(_HEAD)
            self.timer.touch()
        self._answered.wake()

    def eof_received(self) -> bool:
        """The backend has nothing more to send; a tunnel's other direction stays open."""
        before = self.phase
        self._move(ExchangeEvent.EOF)
        if before is _TUNNEL:
            self.wake()
            return True
        if before in UNDER_WAY and not self.parser.end():
            self._fail_incomplete("the backend closed the connection")
        self.wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was under way has failed unless it was whole."""
        before = self.phase
        self._move(ExchangeEvent.LOST)
        self._poll = None
        self._outgoing.close()
        self._flow.close()
        if self.failure is None and before in UNDER_WAY:
            self._fail_incomplete(str(exc) if exc else "the connection was closed")
        self.resume_writing()
        self.wake()
        self._on_interim = None  # the exchange's, which refers to this: a cycle, with all of a body in it
        self._owner.closed(self)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._writing_paused = False
        self._drained.wake()

    # ---- one exchange

    @property
    def ended(self) -> bool:
        """Whether no exchange can begin or go on any more, but for what is still sent through a tunnel."""
        return self.phase in ENDED

    @property
    def has_failed(self) -> bool:
        """Whether nothing more can come of the exchange."""
        return self.failure is not None or self.body_error is not None or self.phase is _CLOSED

    @property
    def reusable(self) -> bool:
        """Whether request and response are whole, and another exchange may follow."""
        return self.phase is _WHOLE and self.parser.reusable

    def usable(self) -> bool:
        """Whether a request may be written: still open, and nothing unread has come since the last response."""
        if self.phase is not _IDLE or self.transport is None or self.transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def start(
        self,
        head: bytes,
        *,
        for_head: bool = False,
        upgrading: bool = False,
        whole: bool = True,
        on_interim: InterimSink | None = None,
        first: FirstBytesHandler | None = None,
    ) -> None:
        """Write a request head, with all of the request unless more follows (`whole`), and expect its response.

        `first` is offered the first bytes; where it has passed on, it takes 1xx responses in place of `on_interim`.
        Raises UpstreamError RESET where the connection has been lost since it was leased, ABANDONED where it gave way.
        """
        if self.phase in ENDED:
            failure = UpstreamFailure.RESET if self.failure is None else self.failure.failure
            raise UpstreamError(failure, "the connection was closed before the request", sent=False)
        self._move(_REQUEST_WRITTEN if whole else ExchangeEvent.REQUEST_BEGUN)
        self.parser.begin(for_head=for_head, upgrading=upgrading)
        self._continued = False
        self._pull.begin()
        self._on_interim = on_interim
        self._first = first
        self.body_error = None
        self._outgoing.send([head])
        if whole:
            self._flow.expect()

    def request_sent(self) -> None:
        """The whole request has been sent: from now on silence counts."""
        self._move(ExchangeEvent.REQUEST_ENDED)
        if self.phase is _AWAITING or self.phase is _RECEIVING:
            self._flow.expect()

    async def write(self, data: bytes) -> None:
        """Write, waiting while the backend is slow.

        Raises UpstreamError WRITE_TIMEOUT, or why the connection has ended.
        """
        self._raise_failure()
        if self.phase is _CLOSED or self.transport is None:
            raise UpstreamError(UpstreamFailure.RESET, "the connection was closed", sent=True)
        self._outgoing.flush()
        self.transport.write(data)
        if not self._writing_paused:
            return
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._drained.wait()
        except TimeoutError:
            limit = self._settings.write_timeout_s
            self.fail(UpstreamFailure.WRITE_TIMEOUT, f"the backend took no bytes for {limit:g} s")
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

    def wait_for_progress(self) -> asyncio.Future[None]:
        """Done as soon as bytes have arrived or the connection has ended. One consumer waits at a time."""
        return self._progress.wait()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._first is not None:
            self._pass_on(self._first)
        self._progress.wake()
        if self._is_over():
            self._answered.wake()

    def _is_over(self) -> bool:
        """Whether the final head has arrived, or none can arrive any more."""
        return self.parser.final is not None or self.failure is not None or self.phase is _CLOSED

    async def may_continue(self) -> bool:
        """Wait for 100 Continue, but not for ever (RFC 9110 section 10.1.1); False when an answer came instead."""
        if not self._continued and not self._is_over():
            try:
                async with asyncio.timeout(self._settings.continue_timeout_s):
                    await self._answered.wait()
            except TimeoutError:
                return True
        return self._continued and not self._is_over()

    def pop_pieces(self) -> list[bytes]:
        """The body pieces that have arrived; a held-back backend may go on."""
        return self._pull.pop()

    def stream_into(self, sink: ByteSink) -> SinkReader:
        """Let `sink` have what has arrived, and from now on what arrives, until it is blocked."""
        reader = self._sink_reader = SinkReader(self._pull, sink, self._buffer, self._loop)
        reader.go_on()
        return reader

    def finish(self) -> None:
        """The exchange is over and whole; the connection may be used again."""
        self._move(_RELEASED)
        self._on_interim = self._first = None
        self._sink_reader = None
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
        self._move(ExchangeEvent.ABORTED)
        self._flow.expect_nothing()
        self._outgoing.close()
        self._sink_reader = None
        if self.transport is not None:
            self.transport.abort()

    # ---- inside

    def _move(self, event: ExchangeEvent) -> None:
        found = TRANSITIONS[self.phase].get(event)
        if found is None:
            raise PhaseError(self.phase, event)
        self.phase = found

    def _pass_on(self, first: FirstBytesHandler) -> None:
        self._first = None
        self._on_interim = first.interim
        first.pass_on()

    def _fail_incomplete(self, detail: str) -> None:
        failure, where = UpstreamFailure.TRUNCATED, "in the middle of a response"
        if self.parser.final is None:
            failure, where = UpstreamFailure.RESET, "before a whole response head"
        self.failure = UpstreamError(failure, f"{detail} {where}", sent=True)

    def _relay_interims(self) -> None:
        interims, self.parser.interims = self.parser.interims, []
        for head in interims:
            if head.status == 100:
                self._continued = True
                self._answered.wake()
            elif self._on_interim is not None:
                self._on_interim(head)

    def _on_read_timeout(self) -> None:
        self.fail(UpstreamFailure.READ_TIMEOUT, f"the backend sent nothing for {self.timer.limit_s:g} s")
