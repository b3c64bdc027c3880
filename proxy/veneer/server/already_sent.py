"""What aiohttp is given in place of a response, as the response has left by another way."""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class AlreadySent(web.StreamResponse):
    """Tells aiohttp that the response has left already, and whether the connection may be reused."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._may_keep_alive = keep_alive

    @property
    def keep_alive(self) -> bool | None:
        """Whether another request may follow on the connection."""
        return self._may_keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002 - aiohttp's shape
        """Nothing: the head was sent."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the body was sent."""
