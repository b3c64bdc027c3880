"""Where connections read to."""

from __future__ import annotations

from typing import Final

READ_BYTES: Final = 256 * 1024
"""So much of a body is read at once."""

BEGINNING_BYTES: Final = 64 * 1024
"""So much is read at once while a response begins: what comes with its head is copied."""


class ReadBuffer:
    """Memory that the connections of one pool share.

    What was read is dealt with in the callback that read it, so one buffer is enough for all: it stays in the
    processor's cache, and what is only passed on is not copied. Who needs bytes for longer copies them, or detaches
    the buffer.
    """

    __slots__ = ("beginning", "view")

    def __init__(self) -> None:
        self.detach()

    def detach(self) -> None:
        """Leave the memory to whoever holds a part of it now, and go on with other memory."""
        self.view = memoryview(bytearray(READ_BYTES))
        self.beginning = self.view[:BEGINNING_BYTES]
