"""The transport's side of a client connection: bytes out, with back-pressure."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence

from veneer.core.address import node_address
from veneer.loop.batched_writes import WriteBuffer
from veneer.ports import BytesLike, ClientGoneError
from veneer.server.batching import BatchedConnection


class ClientStream(BatchedConnection):
    """What `ClientTransport` and `RawStream` ask of a connection, but for what depends on its requests."""

    def __init__(self, outgoing: WriteBuffer) -> None:
        super().__init__()
        self._transport: asyncio.Transport | None = None
        self._outgoing = outgoing
        self._paused = False
        self._address: str | None = None
        self.told_address: str | None = None
        """The address that a PROXY header has told."""
        self.unnamed_peer = "unix"
        """The address of a client whose socket has none."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait while the client is slow. Raises ClientGoneError when it is gone."""

    @property
    def address(self) -> str:
        """The peer's address without port; what a PROXY header told, else `unnamed_peer` on a Unix socket."""
        if self._address is None:
            if self.told_address is not None:
                self._address = self.told_address
                return self.told_address
            peer = None if self._transport is None else self._transport.get_extra_info("peername")
            self._address = node_address(str(peer[0])) if isinstance(peer, tuple) else self.unnamed_peer
        return self._address

    def write(self, data: bytes) -> None:
        """Queue bytes. Raises ClientGoneError when the connection is closed."""
        self._open().write(data)

    def write_all(self, pieces: Sequence[BytesLike]) -> bool:
        """Queue bytes in one go; whether all have left. Raises ClientGoneError when the connection is closed."""
        transport = self._open()
        transport.writelines(pieces)
        return transport.get_write_buffer_size() == 0

    async def drained(self) -> None:
        """Wait until all bytes have left. Raises ClientGoneError when the connection is closed."""
        transport = self._open()
        transport.set_write_buffer_limits(high=0)
        try:
            await self.drain()
        finally:
            if not transport.is_closing():
                transport.set_write_buffer_limits()

    def abort(self) -> None:
        """Cut the connection without flushing."""
        if self._transport is not None:
            self._transport.abort()

    def end_writing(self) -> None:
        """Tell the client that nothing more comes; where only all can be closed (TLS), close."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def set_reading(self, reading: bool) -> None:
        """Pause or resume reading from the socket."""
        if self._transport is None or self._transport.is_closing():
            return
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _open(self) -> asyncio.Transport:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ClientGoneError("the client closed the connection")
        self._outgoing.flush()
        return transport
