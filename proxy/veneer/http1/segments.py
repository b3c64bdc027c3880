"""What the bytes of a connection tell of where messages begin and end, before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from veneer.http1.framing import MalformedError, is_length
from veneer.http1.grammar import HEAD_END
from veneer.http1.heads import parse_fields

MAX_PIECES: Final = 16


def split_at_heads(data: bytes) -> Iterator[bytes]:
    """The same bytes, split where heads may end, at most fifteen times.

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
    """How many bytes of the body of a request are still to come after `data`; None when that cannot be told.

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
    start = data.find(b"\n", 0, end) + 1
    length = _plain_length(data[start : end + 2]) if start else 0
    if length is None:
        return None
    left = length - (len(data) - end - 4)
    return left if left >= 0 else None


def _plain_length(lines: bytes) -> int | None:
    """The length that field lines announce, if that is all they say of framing; None else."""
    try:
        said = parse_fields(lines.decode("latin-1"), len(lines)).joined
    except MalformedError:
        return None
    if "transfer-encoding" in said or "upgrade" in said:
        return None
    announced = said.get("content-length", "0")
    return int(announced) if is_length(announced) else None
