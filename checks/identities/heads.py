"""A small HTTP server's connection: heads as they come in, one answer for each."""

from __future__ import annotations

import asyncio
from typing import cast


def fields_of(lines: list[str]) -> dict[str, str]:
    """The field lines of a head, by their names in lower case."""
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


class HeadConnection(asyncio.Protocol):
    """One connection whose requests have no content."""

    def __init__(self) -> None:
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            self.asked(head.decode("latin-1"))

    def asked(self, head: str) -> None:
        """Answer a request."""
        raise NotImplementedError

    def write(self, answer: bytes) -> None:
        """Send an answer."""
        assert self._transport is not None
        self._transport.write(answer)
