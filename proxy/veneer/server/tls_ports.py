"""Both sides of a TLS connection: the loop's transport, and the connection that answers."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Outer(Protocol):
    """What is asked of the loop's transport."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        ...

    def close(self) -> None:
        """Close once all that is queued has left."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        ...

    def pause_reading(self) -> None:
        """Bring no more bytes."""
        ...

    def resume_reading(self) -> None:
        """Bring bytes again."""
        ...

    def get_write_buffer_size(self) -> int:
        """How many bytes are queued."""
        ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How many bytes may be queued before the protocol is told to pause."""
        ...

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What is known of the socket."""
        ...


class Inner(Protocol):
    """The connection that answers, as a transport sees it."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None:
        """Begin."""
        ...

    def connection_lost(self, exc: Exception | None, /) -> None:
        """End."""
        ...

    def data_received(self, data: bytes, /) -> None:
        """Bytes of the client's."""
        ...

    def eof_received(self) -> bool | None:
        """The client sends no more; whether to stay open for what it may still get."""
        ...

    def pause_writing(self) -> None:
        """Enough is queued."""
        ...

    def resume_writing(self) -> None:
        """There is room again."""
        ...
