"""Who has the body of a response as it comes: it is kept until somebody takes it, or streams into a sink.

Before either, `veneer.ports.FirstBytesHandler` may have the first bytes of a response as they are.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Final

from veneer.http1.parser import MessagePart, ResponseParser
from veneer.ports import ByteSink, BytesLike
from veneer.upstream.buffer import BEGINNING_BYTES, READ_BYTES, ReadBuffer
from veneer.upstream.flow import ReadFlow, Waker

MAX_FILLED: Final = 4
"""So many full buffers stream before others have their turn: a millisecond's work."""


class BodyReader:
    """What becomes of the bytes that the parser has read. One of a connection's readers has them at a time."""

    __slots__ = ("flow", "parser", "progress")

    def __init__(self, parser: ResponseParser, flow: ReadFlow, progress: Waker) -> None:
        self.parser = parser
        self.flow = flow
        self.progress = progress

    @abstractmethod
    def parsed(self, size: int) -> None:
        """The parser has read `size` bytes more."""


class Pull(BodyReader):
    """Keeps what comes until it is taken. Until somebody asks for the body no more than a beginning is read ahead."""

    __slots__ = ("_ahead", "_first_room", "_full_room", "_room")

    def __init__(self, parser: ResponseParser, flow: ReadFlow, progress: Waker, max_bytes: int) -> None:
        super().__init__(parser, flow, progress)
        self._first_room = min(BEGINNING_BYTES // 2, max_bytes)
        self._full_room = max_bytes
        self._room = 0
        self._ahead = 0

    def begin(self) -> None:
        """Another response comes."""
        self._room = self._first_room
        self._ahead = 0

    def parsed(self, size: int) -> None:
        """Hold a backend back that is too far ahead.

        Nobody takes the bytes of a head away, which the parser bounds: held back, it would never go on.
        """
        parser = self.parser
        if parser.part is MessagePart.DONE:
            return
        self._ahead += size
        if self._ahead > self._room and parser.final is not None:
            self.flow.pause()
        self.progress.wake()

    def pop(self) -> list[bytes]:
        """The pieces that have come; a backend that was held back may go on."""
        parser = self.parser
        self._room = self._full_room
        self._ahead = 0
        pieces, parser.pieces = parser.pieces, []
        if self.flow.paused:
            self.flow.resume()
        return pieces


class SinkReader(BodyReader):
    """Pushes what comes into a sink within the callback that read it, until the sink is `blocked`.

    What is body goes from where it lies in `buffer`, which is left to a sink that keeps it.
    """

    __slots__ = ("_buffer", "_cut", "_filled", "_loop", "_sink", "blocked")

    def __init__(self, pull: Pull, sink: ByteSink, buffer: ReadBuffer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(pull.parser, pull.flow, pull.progress)
        self._sink = sink
        self._buffer = buffer
        self._loop = loop
        self._cut: list[memoryview] = []
        self._filled = 0
        self.blocked = False

    def split(self, raw: memoryview) -> int:
        """Take what is body at the beginning of `raw`; how much of it is done with."""
        self._cut, done = self.parser.split_body(raw)
        return done

    def dealt_with(self, size: int) -> None:
        """The `size` bytes in the buffer have been dealt with.

        Let go of the loop now and then: it reads on within one callback for as long as a buffer is filled.
        """
        if self.blocked:
            self._buffer.detach()
        self._filled = self._filled + 1 if size == READ_BYTES else 0
        if self._filled == MAX_FILLED:
            self._filled = 0
            if not self.flow.paused and self.parser.part is not MessagePart.DONE:
                self.flow.pause()
                self._loop.call_soon(self._read_on)

    def parsed(self, size: int) -> None:  # noqa: ARG002 - it counts for who keeps it
        """Push what has come. Where it does not all leave at once, nothing is read until the consumer says so."""
        parser = self.parser
        cut, self._cut = self._cut, []
        pieces, parser.pieces = parser.pieces, []
        if not cut and not pieces:
            return
        said: list[BytesLike] = [*cut, *pieces]
        try:
            self.blocked = not self._sink.write_now(said)
        except ConnectionError:
            self.blocked = True  # the consumer finds out why when it waits for the sink
        if self.blocked and parser.part is not MessagePart.DONE:
            self.flow.pause()
            self.progress.wake()

    def go_on(self) -> None:
        """Push what has come meanwhile, and read on unless that blocks the sink."""
        self.blocked = False
        self.parsed(0)
        self._read_on()

    def _read_on(self) -> None:
        if not self.blocked:
            self.flow.resume()
