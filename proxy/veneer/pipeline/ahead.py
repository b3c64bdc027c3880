"""Reading the beginning of a request's body before anything is done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from veneer.core.messages import RequestHead
from veneer.ports import Content


async def beginning(body: AsyncIterator[bytes], most_bytes: int) -> tuple[bytes, bool]:
    """The body's first bytes, somewhat more than `most_bytes` when there are more, and whether that is all of it."""
    pieces: list[bytes] = []
    length = 0
    async for piece in body:
        pieces.append(piece)
        length += len(piece)
        if length > most_bytes:
            return b"".join(pieces), False
    return b"".join(pieces), True


async def joined(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The whole body again, after its beginning was read."""
    yield start
    async for piece in rest:
        yield piece


async def read_ahead(request: RequestHead, body: Content | None, most_bytes: int) -> Content | None:
    """The same body, read so far that a client who sends it slowly keeps no connection to the backend waiting.

    What is no longer than `most_bytes` is at hand then. Who expects 100 Continue waits for the backend's word before
    the first byte (RFC 9110 section 10.1.1). Raises what the body raises.
    """
    if body is None or isinstance(body, bytes) or most_bytes <= 0 or "expect" in request.fields:
        return body
    start, whole = await beginning(body, most_bytes)
    return start if whole else joined(start, body)
