"""Time-outs for answers of Redis that do not blame Redis for the time in which this process could not run."""

from __future__ import annotations

import asyncio
from types import TracebackType

NOTICEABLE_S = 0.02
"""A loop that is later than this was busy."""
MAX_EXTENSIONS = 4


class LagTolerantTimeout:
    """Like `asyncio.timeout`, but where the loop itself was late by the end, what it may have missed is waited for.

    A loop that did not run for longer than `timeout_s` finds its timer due and an answer unread at the same moment;
    giving up then would turn a busy moment into an outage. Each extension is as long as the loop was late, at most
    `timeout_s`, and there are at most four: the bound is five times `timeout_s`.
    Raises TimeoutError when nothing has come within it.
    """

    __slots__ = ("_due_s", "_extensions", "_loop", "_scope", "_timeout_s", "_timer")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._scope = asyncio.timeout(None)
        self._extensions = 0
        self._due_s = self._loop.time() + timeout_s
        self._timer = self._loop.call_at(self._due_s, self._over)

    def _over(self) -> None:
        now_s = self._loop.time()
        late_s = now_s - self._due_s
        if late_s < NOTICEABLE_S or self._extensions >= MAX_EXTENSIONS:
            self._scope.reschedule(now_s)
            return
        self._extensions += 1
        self._due_s = now_s + min(late_s, self._timeout_s)
        self._timer = self._loop.call_at(self._due_s, self._over)

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._scope.__aexit__(kind, error, traceback)
