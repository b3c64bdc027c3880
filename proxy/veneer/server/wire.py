"""Response heads as bytes (RFC 9112 section 4). aiohttp's own writer would drop obs-text."""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.fields import pieces_of
from veneer.core.messages import ResponseHead
from veneer.core.record import fast_struct

FRAMING_FIELDS: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
FRAMING_FIELDS_BUT_LENGTH: Final = FRAMING_FIELDS - {"content-length"}


class BodyFraming(Enum):
    """How the client learns where the body ends (RFC 9112 section 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@fast_struct
class FramingFacts:
    """What of the request decides about the framing of its response."""

    method: str
    version: tuple[int, int]
    keep_alive: bool


def framing_of(exchange: FramingFacts, status: int, length: int | None) -> BodyFraming:
    """The framing of a response of `length` bytes, None when unknown (RFC 9112 section 6.3)."""
    if exchange.method == "HEAD" or status < 200 or status in {204, 304}:
        return BodyFraming.NONE
    if length is not None:
        return BodyFraming.LENGTH
    return BodyFraming.CHUNKED if exchange.version >= (1, 1) else BodyFraming.CLOSE


def serialise(head: ResponseHead, exchange: FramingFacts, framing: BodyFraming, length: int | None) -> bytes:
    """The status line and header section, ready to be sent.

    The head's own Content-Length is kept where there is no body to be framed (HEAD, 304).
    """
    keep_length = framing is BodyFraming.NONE and head.status >= 200 and head.status != 204
    told = False
    if framing is BodyFraming.LENGTH and length is not None:
        told = head.fields.joined.get("content-length") == str(length)
    fields = head.fields.without(FRAMING_FIELDS_BUT_LENGTH if keep_length or told else FRAMING_FIELDS)
    pieces = [f"HTTP/1.1 {head.status} {head.reason}\r\n"]
    pieces += pieces_of(fields.pairs)
    if framing is BodyFraming.LENGTH and not told:
        pieces.append(f"Content-Length: {length}\r\n")
    elif framing is BodyFraming.CHUNKED:
        pieces.append("Transfer-Encoding: chunked\r\n")
    if not exchange.keep_alive or framing is BodyFraming.CLOSE:
        pieces.append("Connection: close\r\n")
    elif exchange.version < (1, 1):
        pieces.append("Connection: keep-alive\r\n")
    pieces.append("\r\n")
    return "".join(pieces).encode("latin-1")


def serialise_interim(head: ResponseHead) -> bytes:
    """A 1xx response (RFC 9110 section 15.2)."""
    lines = [f"HTTP/1.1 {head.status} {head.reason}", *(f"{name}: {value}" for name, value in head.fields), "\r\n"]
    return "\r\n".join(lines).encode("latin-1")
