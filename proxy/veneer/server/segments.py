"""What the bytes of a connection tell before a parser has read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from veneer.core.headers import is_token

FAST_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY", "PROPFIND", "PROPPATCH"}
    | {"REPORT", "SEARCH", "M-SEARCH", "COPY", "MOVE", "LOCK", "UNLOCK", "MKCOL", "PURGE", "LINK", "UNLINK", "NOTIFY"}
)
"""Methods that aiohttp's compiled parser knows; it refuses all others, which its Python parser reads."""

_UPGRADE: Final = re.compile(rb"\nupgrade", re.IGNORECASE)

HEAD_END = b"\r\n\r\n"
MAX_PIECES = 16


def has_rare_method(data: bytes) -> bool:
    """Whether `data` begins with a request line whose method the compiled parser would refuse.

    Methods are case-sensitive (RFC 9110 section 9.1); those in lower case stay refused, as the Python parser would
    change them.
    """
    method, space, _ = data[:64].decode("latin-1").partition(" ")
    return bool(space) and method not in FAST_METHODS and method.isupper() and is_token(method)


_SPOKEN: Final = re.compile(rb" HTTP/1\.[01]\r?\n")


def needs_patience(data: bytes) -> bool:
    """Whether what begins here is to be read by the patient parser, though its method is common.

    The compiled one loses what follows content beside an Upgrade that it does not know, and takes RTSP and ICE for
    HTTP. Where the head is not whole, or more than one request is here, an Upgrade may be anywhere: to be patient for
    nothing costs time only.
    """
    end = data.find(HEAD_END)
    if end == -1 or _UPGRADE.search(data) is not None:
        return True
    line = data.find(b"\n")
    return (
        _SPOKEN.fullmatch(data[data.rfind(b" ", 0, line) : line + 1]) is None or b" RTSP/" in data or b" ICE/" in data
    )


def parted(data: bytes) -> Iterator[bytes]:
    """The same bytes, parted where heads may end, at most fifteen times.

    aiohttp's parser forgets the requests of a segment before one that it refuses. Handed over one by one they are
    answered, as they are when they come in segments of their own.
    """
    start = 0
    for _ in range(MAX_PIECES - 1):
        end = data.find(HEAD_END, start)
        if end == -1:
            break
        yield data[start : end + 4]
        start = end + 4
    if start < len(data) or not start:
        yield data[start:]


def body_left(before: int | None, data: bytes) -> int | None:
    """How many bytes of the body are still to come after `data`; None when that cannot be told.

    Only what is certain counts: one head whose length and body length are plain. Anything else (chunked bodies,
    pipelined requests, heads in pieces) gives None for the rest of the connection.
    """
    if before is None:
        return None
    if before > 0:
        return before - len(data) if len(data) <= before else None
    end = data.find(HEAD_END)
    if end == -1:
        return None
    head = data[:end].lower()
    if b"\r\ntransfer-encoding" in head or b"\r\nupgrade" in head:
        return None
    at = head.find(b"\r\ncontent-length:")
    length = 0
    if at != -1:
        text = head[at + 17 :].partition(b"\r\n")[0].strip()
        if not text.isdigit() or len(text) > 18 or head.count(b"\r\ncontent-length") != 1:
            return None
        length = int(text)
    left = length - (len(data) - end - 4)
    return left if left >= 0 else None


def started(opening: bytes) -> tuple[str, str]:
    """Method and target of a request that begins so, or what stands in their places."""
    method, _, rest = opening.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    return method.decode("latin-1"), (target if version.startswith(b"HTTP/") else rest).decode("latin-1")
