"""Data whose changes a source tells: what the contract of sources is run on, and how it is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from veneer.core.change_tags import all_tags
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.ports.changes import AsOf, Beat, ChangeItem, ChangeSource, ChangeStream, Committed

USERS = TableRules(
    "public.users",
    (
        ColumnTemplate(("user:", ""), ("id",)),
        ColumnTemplate(("users",), ()),
        ColumnTemplate(("company:", ""), ("company_id",)),
    ),
)
ALL_TAGS = all_tags((USERS,))
SOON_S = 60.0


class ChangingData(Protocol):
    """A table of users whose changes `source` tells. Each call is one transaction, committed when it returns."""

    has_beats: bool

    @property
    def source(self) -> ChangeSource:
        """Where they are told."""
        ...

    async def insert(self, *users: tuple[int, int | None]) -> None:
        """Insert users: id and company."""
        ...

    async def move(self, user: int, company: int | None) -> None:
        """Give a user another company."""
        ...

    async def delete(self, user: int) -> None:
        """Delete a user."""
        ...

    async def truncate(self) -> None:
        """Delete all of them at once."""
        ...


class Following:
    """Keeps what a stream tells."""

    def __init__(self, stream: ChangeStream) -> None:
        self.stream = stream
        self.items: list[ChangeItem] = []

    @property
    def committed(self) -> list[Committed]:
        """The changes so far."""
        return [item for item in self.items if isinstance(item, Committed)]

    @property
    def tags(self) -> list[tuple[str, ...]]:
        """What each transaction has named."""
        return [item.tags for item in self.committed]

    @property
    def beats(self) -> list[str]:
        """The heartbeats that have come."""
        return [item.content for item in self.items if isinstance(item, Beat)]

    async def until(self, done: Callable[[], bool]) -> None:
        """Read until something holds."""
        async with asyncio.timeout(SOON_S):
            while not done():
                self.items += await self.stream.read()

    async def until_tags(self, *tags: str) -> None:
        """Read until a transaction has named exactly these."""
        await self.until(lambda: tags in self.tags)

    async def until_beat(self, content: str) -> None:
        """Send a heartbeat, and read until it comes."""
        await self.stream.beat(content)
        await self.until(lambda: content in self.beats or any(isinstance(item, AsOf) for item in self.items[-1:]))

    def confirm_all(self) -> None:
        """Confirm what was read."""
        self.stream.confirm(self.items[-1].position)


@asynccontextmanager
async def following(source: ChangeSource, *, past_first: bool = True) -> AsyncIterator[Following]:
    """Open a source and read what it tells; a new one names everything first."""
    stream = await source.open()
    try:
        one = Following(stream)
        if past_first:
            await one.until_beat("begun")
            one.confirm_all()
            one.items.clear()
        yield one
    finally:
        await stream.aclose()


def flat(told: Sequence[tuple[str, ...]]) -> list[str]:
    """The tags of several transactions, one after the other."""
    return [tag for tags in told for tag in tags]
