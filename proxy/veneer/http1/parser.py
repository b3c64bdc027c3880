"""One response after another from the bytes of a connection; no I/O."""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.http1.framing import MalformedError, ends_with_head
from veneer.http1.grammar import BARE_LF, BETWEEN_CHUNKS, CHUNK_SIZE, CRLF, HEAD_END, MAX_CHUNK_LINE_BYTES
from veneer.http1.heads import ParsedHead, parse_head, parse_trailers

MAX_INTERIMS: Final = 1000
"""Interim responses before one final: a report each second for a quarter of an hour."""
_NO_FIELDS: Final = Fields()


class MessagePart(Enum):
    """What the next byte belongs to."""

    HEAD = "head"
    LENGTH = "length"  # body with Content-Length
    CHUNK_LINE = "chunk-line"
    CHUNK_DATA = "chunk-data"
    CHUNK_END = "chunk-end"  # the CRLF after a chunk's data
    TRAILERS = "trailers"
    UNTIL_CLOSE = "until-close"
    DONE = "done"
    TUNNEL = "tunnel"  # after 101: nothing is parsed any more


# To look a member of an Enum up runs Python.
_HEAD: Final = MessagePart.HEAD
_LENGTH: Final = MessagePart.LENGTH
_CHUNK_LINE: Final = MessagePart.CHUNK_LINE
_CHUNK_DATA: Final = MessagePart.CHUNK_DATA
_CHUNK_END: Final = MessagePart.CHUNK_END
_TRAILERS: Final = MessagePart.TRAILERS
_UNTIL_CLOSE: Final = MessagePart.UNTIL_CLOSE
_DONE: Final = MessagePart.DONE
_TUNNEL: Final = MessagePart.TUNNEL


class ResponseParser:
    """Splits bytes into interim heads, a final head, body pieces and trailers.

    Results gather in the attributes, from which the caller takes them away; `begin` starts the next response.
    """

    __slots__ = (
        "_interim_bytes",
        "_max_fields",
        "_max_head_bytes",
        "_pending",
        "_remaining",
        "excess",
        "final",
        "for_head",
        "interim_count",
        "interims",
        "part",
        "pieces",
        "trailers",
        "upgrading",
    )

    def __init__(self, max_head_bytes: int = 64 * 1024, max_fields: int = 256) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_fields = max_fields
        self.begin(for_head=False, upgrading=False)

    def begin(self, *, for_head: bool, upgrading: bool) -> None:
        """Expect a response, to a HEAD request if `for_head`; 101 is refused unless `upgrading`."""
        self.part = _HEAD
        self.for_head = for_head
        self.upgrading = upgrading
        self.final: ParsedHead | None = None
        self.interims: list[ResponseHead] = []
        self.interim_count = 0
        self._interim_bytes = 0
        self.pieces: list[bytes] = []
        self.trailers = _NO_FIELDS
        self.excess = False
        self._pending = b""
        self._remaining = 0

    @property
    def reusable(self) -> bool:
        """Whether the response ended where it said it would and another may follow on the connection."""
        final = self.final
        return self.part is _DONE and not self.excess and final is not None and final.persistent

    @property
    def no_bytes_seen(self) -> bool:
        """Whether not one byte has come since `begin`."""
        return self.part is _HEAD and not self._pending and not self.interim_count

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        Raises MalformedError; the response is then lost, and the connection with it.
        """
        if self.part is _HEAD:
            data = self._feed_head(data)
        while data:
            part = self.part
            if part is _LENGTH:
                data = self._feed_length(data)
            elif part is _UNTIL_CLOSE or part is _TUNNEL:
                self.pieces.append(data)
                return
            elif part is _DONE:
                self.excess = True
                return
            elif part is _CHUNK_DATA:
                data = self._feed_chunks(data)
            else:
                data = self._feed_line(data)

    def split_body(self, raw: memoryview) -> tuple[list[memoryview], int]:
        """The body at the beginning of what arrived, where it lies, and how much of `raw` is done with.

        `feed` has to have the rest: heads, trailers, and lines of the chunked coding that are not whole or not plain.
        """
        size = len(raw)
        if self.part is _CHUNK_DATA:
            return self._split_chunks(raw, size)
        if self.part is _UNTIL_CLOSE:
            return [raw], size
        if self.part is not _LENGTH:
            return [], 0
        taken = min(size, self._remaining)
        self._remaining -= taken
        if not self._remaining:
            self.part = _DONE
        return [raw[:taken]], taken

    def _split_chunks(self, raw: memoryview, size: int) -> tuple[list[memoryview], int]:
        pieces: list[memoryview] = []
        at = 0
        while True:
            end = at + self._remaining
            if end > size:
                self._remaining = end - size
                pieces.append(raw[at:])
                return pieces, size
            pieces.append(raw[at:end])
            line = BETWEEN_CHUNKS.match(raw, end)
            if line is None:
                self._remaining = 0
                self.part = _CHUNK_END
                return pieces, end
            self._remaining = int(line[1], 16)
            at = line.end()

    def end(self) -> bool:
        """The connection has ended in good order; returns whether the response is whole."""
        if self.part is _UNTIL_CLOSE:
            self.part = _DONE
        return self.part is _DONE

    def _feed_head(self, data: bytes) -> bytes:
        while data:
            start = max(len(self._pending) - 3, 0)
            if self._pending:
                data, self._pending = self._pending + data, b""
            end = data.find(HEAD_END, start)
            if end < 0 or end > self._max_head_bytes:
                self._keep_partial_head(data)
                return b""
            parsed = parse_head(data[: end + 2], self._max_fields)
            data = data[end + 4 :]
            if parsed.head.status >= 200 or parsed.head.status == 101:
                self._start_body(parsed)
                return data
            self._interim(parsed, end)
        return data

    def _keep_partial_head(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1."[: len(data)]):
            msg = f"not a response of HTTP/1.x: {data[:40]!r}"
            raise MalformedError(msg)
        if BARE_LF.search(data):
            raise MalformedError("a line of the response head ends in a bare LF")
        if len(data) > self._max_head_bytes:
            msg = f"the response head is longer than {self._max_head_bytes} bytes"
            raise MalformedError(msg)
        self._pending = data

    def _interim(self, parsed: ParsedHead, raw: int) -> None:
        if parsed.length or parsed.coded:
            msg = f"interim response {parsed.head.status} announces a body"
            raise MalformedError(msg)
        self.interim_count += 1
        self._interim_bytes += raw
        if self.interim_count > MAX_INTERIMS or self._interim_bytes > self._max_head_bytes:
            msg = f"more than {MAX_INTERIMS} interim responses, or longer in sum than {self._max_head_bytes} bytes"
            raise MalformedError(msg)
        self.interims.append(parsed.head)

    def _start_body(self, parsed: ParsedHead) -> None:
        """How long the body is (RFC 9112 section 6.3)."""
        status = parsed.head.status
        if status == 101 and not self.upgrading:
            raise MalformedError("101 Switching Protocols, which the request did not ask for")
        self.final = parsed
        if status == 101:
            self.part = _TUNNEL
        elif ends_with_head(status, for_head=self.for_head):
            self.part = _DONE
        elif parsed.chunked:
            self.part = _CHUNK_LINE
        elif parsed.length is None:
            self.part = _UNTIL_CLOSE
        else:
            self._remaining = parsed.length
            self.part = _LENGTH if parsed.length else _DONE

    def _feed_length(self, data: bytes) -> bytes:
        size = len(data)
        if size < self._remaining:
            self._remaining -= size
            self.pieces.append(data)
            return b""
        self.part = _DONE
        if size == self._remaining:
            self.pieces.append(data)
            return b""
        self.pieces.append(data[: self._remaining])
        self.excess = True
        return b""

    def _feed_chunks(self, data: bytes) -> bytes:
        """Chunk after chunk, by position: to slice off what is left after each would cost the square of their number.

        Stops at what `_feed_line` has to look at: a line that is not whole, or not right, and trailers.
        """
        at, size = 0, len(data)
        while self.part is _CHUNK_DATA:
            end = at + self._remaining
            if end > size:
                self._remaining = end - size
                self.pieces.append(data[at:])
                return b""
            self.pieces.append(data[at:end])
            self.part = _CHUNK_END
            at = end
            if data.startswith(CRLF, at):
                self.part = _CHUNK_LINE
                at = self._size_line(data, at + 2)
        return data[at:]

    def _size_line(self, data: bytes, at: int) -> int:
        """Take the line of a chunk's size at `at` if it is whole and right; where to go on."""
        end = data.find(CRLF, at)
        line = CHUNK_SIZE.fullmatch(data, at, end) if end >= 0 else None
        if line is None:
            return at
        self._remaining = int(line[1], 16)
        self.part = _CHUNK_DATA if self._remaining else _TRAILERS
        return end + 2

    def _feed_line(self, data: bytes) -> bytes:
        """Lines of the chunked coding (RFC 9112 section 7.1): sizes, the CRLF after data, trailers."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        if self.part is _TRAILERS:
            return self._feed_trailers(data)
        end = data.find(CRLF)
        if self.part is _CHUNK_END:
            if end != 0 and data != b"\r":
                raise MalformedError("a chunk is longer than its size says")
            if end == 0:
                self.part = _CHUNK_LINE
                return data[2:]
        if end < 0:
            return self._keep_partial_line(data)
        begins = self._size_line(data, 0)
        if not begins:
            msg = f"not a chunk size: {data[: min(end, 40)]!r}"
            raise MalformedError(msg)
        return data[begins:]

    def _keep_partial_line(self, data: bytes) -> bytes:
        if b"\n" in data or len(data) > MAX_CHUNK_LINE_BYTES:
            msg = f"not a chunk size: {data[:40]!r}"
            raise MalformedError(msg)
        self._pending = data
        return b""

    def _feed_trailers(self, data: bytes) -> bytes:
        if data.startswith(CRLF):
            self.part = _DONE
            return data[2:]
        end = data.find(HEAD_END)
        if end < 0 or end > self._max_head_bytes:
            if len(data) > self._max_head_bytes:
                msg = f"the trailer section is longer than {self._max_head_bytes} bytes"
                raise MalformedError(msg)
            if BARE_LF.search(data):
                raise MalformedError("a trailer line ends in a bare LF")
            self._pending = data
            return b""
        self.trailers = parse_trailers(data[: end + 2], self._max_fields)
        self.part = _DONE
        return data[end + 4 :]
