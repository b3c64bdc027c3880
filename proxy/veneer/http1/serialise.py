"""Messages as bytes (RFC 9112 sections 3 to 7). aiohttp's own writer would drop obs-text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields, Pair, pieces_of
from veneer.core.messages import ResponseHead
from veneer.http1.framing import BodyFraming, FramingFacts

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_WRITTEN: Final = fields_with(Use.WRITTEN)
_WRITTEN_BUT_LENGTH: Final = _WRITTEN - {"content-length"}


def serialise(head: ResponseHead, facts: FramingFacts, framing: BodyFraming, length: int | None) -> bytes:
    """The status line and header section, ready to be sent.

    The head's own Content-Length is kept where there is no body to be framed (HEAD, 304).
    """
    keep_length = framing is BodyFraming.NONE and head.status >= 200 and head.status != 204
    told = False
    if framing is BodyFraming.LENGTH and length is not None:
        told = head.fields.joined.get("content-length") == str(length)
    fields = head.fields.without(_WRITTEN_BUT_LENGTH if keep_length or told else _WRITTEN)
    pieces = [f"HTTP/1.1 {head.status} {head.reason}\r\n"]
    pieces += pieces_of(fields.pairs)
    if framing is BodyFraming.LENGTH and not told:
        pieces.append(f"Content-Length: {length}\r\n")
    elif framing is BodyFraming.CHUNKED:
        pieces.append("Transfer-Encoding: chunked\r\n")
    if not facts.keep_alive or framing is BodyFraming.CLOSE:
        pieces.append("Connection: close\r\n")
    elif facts.version < (1, 1):
        pieces.append("Connection: keep-alive\r\n")
    pieces.append("\r\n")
    return "".join(pieces).encode("latin-1")


def serialise_interim(head: ResponseHead) -> bytes:
    """A 1xx response (RFC 9110 section 15.2)."""
    lines = [f"HTTP/1.1 {head.status} {head.reason}", *(f"{name}: {value}" for name, value in head.fields), "\r\n"]
    return "\r\n".join(lines).encode("latin-1")


def serialise_request(start: str, lines: Sequence[Pair]) -> bytes:
    """The head of a request: its request line without CRLF, and its field lines.

    Raises ValueError when a line would break out of its place.
    """
    pieces = pieces_of(lines)
    said = start + "".join(pieces[::2])  # names and values
    if "\n" in said or "\r" in said or "\0" in said:
        raise ValueError("a field of the request holds CR, LF or NUL; it must be refused before it is forwarded")
    return f"{start}\r\n{''.join(pieces)}\r\n".encode("latin-1")


def chunk_size(size: int) -> bytes:
    """The line before a chunk's data; CRLF follows that (section 7.1)."""
    return b"%x\r\n" % size


def last_chunk(trailers: Fields) -> bytes:
    """The end of a chunked body, with its trailer section (section 7.1.2)."""
    return f"0\r\n{''.join(pieces_of(trailers.pairs))}\r\n".encode("latin-1")
