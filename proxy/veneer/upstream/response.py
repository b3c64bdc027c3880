"""A backend's response while its body arrives, and the tunnel after 101."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from veneer.http1.heads import ParsedHead
from veneer.http1.parser import MessagePart
from veneer.ports import ByteSink, SentTo, UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection
from veneer.upstream.tunnel import BackendTunnel

Release = Callable[[Connection, bool], None]
"""Takes a connection back; True when it may carry another exchange."""
Ended = Callable[[UpstreamFailure | None], None]
"""Hears why a response is not whole; None where it is."""


class BackendResponse:
    """Implements `veneer.ports.UpstreamResponse` on a leased connection.

    A response that is already whole holds no connection any more. It is its own body iterator: an async generator
    would cost more than the rest of a small response.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_pieces",
        "_release",
        "_sender",
        "_whole",
        "content_length",
        "head",
        "sent_to",
        "trailers",
        "tunnel",
    )

    def __init__(
        self, connection: Connection, final: ParsedHead, release: Release, sender: asyncio.Task[None] | None
    ) -> None:
        parser = connection.parser
        self._connection: Connection | None = connection
        self._release = release
        self._sender = sender
        self._pieces: list[bytes] = []
        self._whole = False
        self._ended: Ended | None = None
        self.head = final.head
        """Status and end-to-end fields."""
        self.content_length = final.length
        """Bytes to come if known."""
        self.trailers = parser.trailers
        """Trailer fields; empty until the body has ended."""
        self.sent_to: SentTo | None = None
        self.tunnel: BackendTunnel | None = None
        """The raw stream after 101."""
        if parser.part is MessagePart.DONE:
            pieces = self._pieces = parser.pieces
            pieces.reverse()
            if not parser.trailers.pairs:  # trailers need a body that is sent in chunks
                self.content_length = sum(map(len, pieces))
            self._end()
        elif parser.part is MessagePart.TUNNEL:
            self.tunnel = BackendTunnel(connection, self._end_tunnel)

    def body(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. Raises UpstreamError when it is cut short."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop()
        while (connection := self._connection) is not None and self.tunnel is None:
            self._pieces = connection.pop_pieces()
            self._pieces.reverse()
            if connection.parser.part is MessagePart.DONE:
                self._end()
            elif not self._pieces and connection.has_failed:
                self._give_back(reusable=False)
                raise _failure(connection)
            if self._pieces:
                return self._pieces.pop()
            if self._connection is not None:
                await connection.wait_for_progress()
        if not self._whole and self.tunnel is None:
            raise UpstreamError(UpstreamFailure.TRUNCATED, "the response was closed before its end", sent=True)
        raise StopAsyncIteration

    async def stream_into(self, sink: ByteSink) -> None:
        """Push the rest of the body into `sink` as it arrives. Raises UpstreamError when it is cut short."""
        pieces, self._pieces = self._pieces[::-1], []
        if pieces and not sink.write_now(pieces):
            await sink.drained()
        reader = None if self._connection is None else self._connection.stream_into(sink)
        while reader is not None and (connection := self._connection) is not None:
            if connection.parser.part is MessagePart.DONE:
                self._end()
            elif reader.blocked:
                await sink.drained()
                reader.go_on()
            elif connection.has_failed:
                self._give_back(reusable=False)
                raise _failure(connection)
            else:
                await connection.wait_for_progress()
        if not self._whole:
            raise UpstreamError(UpstreamFailure.TRUNCATED, "the response was closed before its end", sent=True)

    def when_ended(self, ended: Ended) -> None:
        """Have `ended` called once the response has ended; now where it has."""
        if self._connection is None:
            ended(None if self._whole else UpstreamFailure.ABANDONED)
        else:
            self._ended = ended

    async def aclose(self) -> None:
        """Give the connection back if the message was whole, close it otherwise. Idempotent."""
        connection = self._connection
        if connection is not None:
            self._give_back(reusable=connection.reusable)

    def _end(self) -> None:
        """The response is whole, and its last pieces are here; the connection is free unless the request is not."""
        self._whole = True
        connection = self._connection
        if connection is not None:
            self.trailers = connection.parser.trailers
            self._give_back(reusable=connection.reusable)

    def _end_tunnel(self) -> None:
        self._give_back(reusable=False)

    def _give_back(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._sender is not None:
            self._sender.cancel()
        if self._ended is not None:
            self._ended(self._shortfall(connection))
        self._release(connection, reusable)

    def _shortfall(self, connection: Connection) -> UpstreamFailure | None:
        """Why the response, which ends now, is not whole."""
        if self._whole or self.tunnel is not None or connection.parser.part is MessagePart.DONE:
            return None
        return _failure(connection).failure if connection.has_failed else UpstreamFailure.ABANDONED


def _failure(connection: Connection) -> UpstreamError:
    """Why a connection that has failed did."""
    if connection.failure is not None:
        return connection.failure.again()
    if connection.body_error is not None:
        return UpstreamError(UpstreamFailure.TRUNCATED, f"the request body failed: {connection.body_error}", sent=True)
    return UpstreamError(UpstreamFailure.TRUNCATED, "the connection was closed", sent=True)
