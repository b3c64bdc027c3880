"""What both sides of an exchange have in common: bytes and interim responses on their way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from veneer.core.messages import BytesLike, ResponseHead


class InterimSink(Protocol):
    """Takes 1xx responses as they come (RFC 9110 section 15.2)."""

    def __call__(self, head: ResponseHead) -> None:
        """Relay one interim response; never 100 (the upstream room handles Expect) and never 101."""
        ...


class Tunnel(Protocol):
    """The raw byte stream after 101 Switching Protocols."""

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called: no more is taken from the peer, though it may not have ended."""
        ...

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the peer is slow. After `end` they are dropped.

        Raises ClientGoneError or UpstreamError when the peer is gone.
        """
        ...

    async def end(self) -> None:
        """Tell the peer that nothing more comes, once all that was written has left. Raises as `write` does."""
        ...

    def stop(self) -> None:
        """Take no more from the peer. What has come already can still be read."""
        ...

    async def aclose(self) -> None:
        """Close it when all that was written has left and the peer has ended too; after a short while in any case."""
        ...

    def cut(self) -> None:
        """Close it at once, whatever is still to be sent."""
        ...


class ByteSink(Protocol):
    """Where the bytes of a body leave without the turn of a task for each piece."""

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        """Send bytes now; whether all have left.

        Those that have not still lie where they lay: their memory must not change, and nothing more should be written,
        until `drained` returns. Raises ConnectionError when nobody takes them any more.
        """
        ...

    async def drained(self) -> None:
        """Return when all bytes have left. Raises ConnectionError when they cannot any more."""
        ...


Content = bytes | AsyncIterator[bytes]
"""A request's content: all of it at hand, or in pieces as it arrives."""
