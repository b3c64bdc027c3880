"""A source of changes that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from veneer.ports import Beat, ChangeItem, ChangeStream, SourceError, StreamOrigin


class PlayedSource:
    """A ChangeSource whose items a test gives; with `echoes` each heartbeat comes back at once."""

    name = "db"
    all_tags = ("user:*", "users")

    def __init__(self, *, echoes: bool = True) -> None:
        self.echoes = echoes
        self.kept_bytes: int | None = None
        self.origin: StreamOrigin | None = None
        self.refuses: list[SourceError] = []
        self.opened = self.closed = 0
        self.beats: list[str] = []
        self.confirmed: list[str] = []
        self._items: asyncio.Queue[Sequence[ChangeItem] | SourceError] = asyncio.Queue()

    def tells(self, *items: ChangeItem) -> None:
        """Have these read at once."""
        self._items.put_nowait(items)

    def breaks(self, error: SourceError) -> None:
        """Have the next read fail."""
        self._items.put_nowait(error)

    async def open(self) -> ChangeStream:
        if self.refuses:
            raise self.refuses.pop(0)
        self.opened += 1
        return self

    async def read(self) -> Sequence[ChangeItem]:
        told = await self._items.get()
        if isinstance(told, SourceError):
            raise told
        return told

    async def beat(self, content: str) -> None:
        self.beats.append(content)
        if self.echoes:
            self.tells(Beat(f"0/{len(self.beats)}", content))

    def confirm(self, position: str) -> None:
        self.confirmed.append(position)

    async def aclose(self) -> None:
        self.closed += 1
