"""Where the body of a message ends (RFC 9112 section 6): as it was announced, and as it is announced here."""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.record import fast_struct

MAX_DIGITS: Final = 18
"""Of a length: more would not fit into 64 bits."""

_NO_OPTIONS: Final[frozenset[str]] = frozenset()
_KEEP_ALIVE: Final = frozenset({"keep-alive"})


class MalformedError(ValueError):
    """Somebody broke HTTP's grammar; the message says where."""


class BodyFraming(Enum):
    """How the client learns where the body ends (section 6.3)."""

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


def ends_with_head(status: int, *, for_head: bool) -> bool:
    """Whether a response has no body, whatever its fields say (section 6.3, rule 1)."""
    return for_head or status < 200 or status in {204, 304}


def framing_of(facts: FramingFacts, status: int, length: int | None) -> BodyFraming:
    """The framing of a response of `length` bytes, None when unknown (section 6.3)."""
    if ends_with_head(status, for_head=facts.method == "HEAD"):
        return BodyFraming.NONE
    if length is not None:
        return BodyFraming.LENGTH
    return BodyFraming.CHUNKED if facts.version >= (1, 1) else BodyFraming.CLOSE


def is_length(text: str) -> bool:
    """Whether `text` is a number of bytes (RFC 9110 section 8.6)."""
    return len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()


def announced_length(lines: tuple[str, ...]) -> int:
    """One length from equal ones (RFC 9110 section 8.6). Raises MalformedError."""
    if len(lines) == 1 and is_length(lines[0]):
        return int(lines[0])
    values = {value.strip(" \t") for line in lines for value in line.split(",")}
    if len(values) != 1:
        msg = f"Content-Length says different things: {', '.join(lines)!r}"
        raise MalformedError(msg)
    value = values.pop()
    if not is_length(value):
        msg = f"Content-Length {value!r} is not a number of bytes"
        raise MalformedError(msg)
    return int(value)


def is_chunked(lines: tuple[str, ...], minor: str, length: int | None) -> bool:
    """Whether the body is chunked; an unknown coding alone is read to the end of the connection.

    Section 6.3, with everything ambiguous refused: Content-Length beside it, HTTP/1.0, chunked among others. Raises
    MalformedError.
    """
    if length is not None:
        raise MalformedError("both Content-Length and Transfer-Encoding")
    if minor == "0":
        raise MalformedError("Transfer-Encoding in an HTTP/1.0 response")
    codings = [coding.strip(" \t").lower() for line in lines for coding in line.split(",")]
    if codings == ["chunked"]:
        return True
    if any(coding.partition(";")[0].strip(" \t") == "chunked" for coding in codings):
        msg = f"Transfer-Encoding {', '.join(lines)!r} was not asked for"
        raise MalformedError(msg)
    return False


def connection_options(lines: tuple[str, ...]) -> frozenset[str]:
    """What Connection says, in lower case (RFC 9110 section 7.6.1)."""
    if not lines:
        return _NO_OPTIONS
    if len(lines) == 1 and lines[0].lower() == "keep-alive":
        return _KEEP_ALIVE
    return frozenset(option.strip(" \t").lower() for line in lines for option in line.split(","))
