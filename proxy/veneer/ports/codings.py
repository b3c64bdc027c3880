"""Content codings."""

from __future__ import annotations

from typing import Protocol


class StreamEncoder(Protocol):
    """A content coding applied piece by piece."""

    def feed(self, data: bytes) -> bytes:
        """Coded bytes ready so far; may be empty."""
        ...

    def flush(self) -> bytes:
        """All that was fed, decodable now (for slow streams)."""
        ...

    def finish(self) -> bytes:
        """The end of the coded stream."""
        ...


class Codec(Protocol):
    """Makes the content codings of `core.codings`."""

    async def encode(self, coding: str, level: int, body: bytes) -> bytes:
        """The whole body coded; larger bodies off the event loop."""
        ...

    def encode_now(self, coding: str, level: int, body: bytes) -> bytes | None:
        """As `encode`, without waiting; None where that would hold up the event loop."""
        ...

    async def encode_hardest(self, coding: str, body: bytes) -> bytes:
        """The whole body coded as hard as the coding can, however long that takes, without hindering anybody."""
        ...

    def hardest(self, coding: str) -> int:
        """The level of `encode_hardest`."""
        ...

    def stream(self, coding: str, level: int) -> StreamEncoder:
        """A new encoder for one body."""
        ...
