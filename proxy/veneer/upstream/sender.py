"""Streams a request body to a backend while its response may already be arriving."""

from __future__ import annotations

from collections.abc import AsyncIterator

from veneer.http1.serialise import LAST_CHUNK, WrittenHead, chunk_size
from veneer.ports import Content, UpstreamError
from veneer.upstream.connection import Connection

_SEPARATE_WRITE_BYTES = 16 * 1024


class BodyLengthError(Exception):
    """The request body is longer or shorter than its Content-Length."""


def split(written: WrittenHead, body: Content | None) -> tuple[WrittenHead, AsyncIterator[bytes] | None]:
    """What leaves in one write, and what is to follow it."""
    if not isinstance(body, bytes):
        return written, body
    if written.length == len(body) and not written.expects_continue:
        return WrittenHead(written.raw + body, upgrading=written.upgrading), None
    return written, at_hand(body)


async def at_hand(body: bytes) -> AsyncIterator[bytes]:
    """A body that is there already, as one that arrives."""
    yield body


async def send_body(connection: Connection, written: WrittenHead, body: AsyncIterator[bytes]) -> None:
    """Send `body` as `written` announced it.

    Never raises but for cancellation: a body that fails aborts the connection, so that the backend cannot take it for
    complete, and is noted there. Sending stops when the backend has refused the request or the connection has ended.
    """
    try:
        if written.expects_continue and not await connection.may_continue():
            return
        if await _send_pieces(connection, written.length, body):
            connection.request_sent()
    except UpstreamError:
        return  # the connection has noted it, and whoever waits for the response raises it
    except Exception as error:  # noqa: BLE001 - whatever the body raises belongs to the one who gave it
        connection.body_failed(error)


async def _send_pieces(connection: Connection, length: int | None, body: AsyncIterator[bytes]) -> bool:
    sent = 0
    async for piece in body:
        if _refused(connection):
            return False
        if not piece:
            continue
        sent += len(piece)
        if length is None:
            await _write_chunk(connection, piece)
        elif sent > length:
            msg = f"the request body is longer than its Content-Length of {length} bytes"
            raise BodyLengthError(msg)
        else:
            await connection.write(piece)
    if length is None:
        await connection.write(LAST_CHUNK)
    elif sent != length:
        msg = f"the request body ended after {sent} of {length} bytes"
        raise BodyLengthError(msg)
    return True


async def _write_chunk(connection: Connection, piece: bytes) -> None:
    size_line = chunk_size(len(piece))
    if len(piece) < _SEPARATE_WRITE_BYTES:
        await connection.write(b"%b%b\r\n" % (size_line, piece))
        return
    await connection.write(size_line)
    await connection.write(piece)
    await connection.write(b"\r\n")


def _refused(connection: Connection) -> bool:
    """Whether the backend has said that it does not want the rest (RFC 9112 section 9.5)."""
    final = connection.parser.final
    return final is not None and (final.head.status >= 400 or not final.persistent)
