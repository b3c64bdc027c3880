"""Waiting until enough of the log is applied here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Progress:
    """Wakes those who wait for events whenever some were applied; costs nothing while nobody waits."""

    def __init__(self) -> None:
        self._waiting = 0
        self._made = asyncio.Event()

    def made(self) -> None:
        """Events were applied."""
        if self._waiting:
            self._made.set()
            self._made = asyncio.Event()

    async def reaches(self, reached: Callable[[], bool], within_s: float) -> bool:
        """Wait until it is `reached`; False where that takes longer."""
        self._waiting += 1
        try:
            async with asyncio.timeout(within_s):
                while not reached():
                    await self._made.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True
