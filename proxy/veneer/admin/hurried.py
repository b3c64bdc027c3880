"""A bound on how long a request to the admin listener may take to come.

aiohttp waits for ever for the rest of a head, and for a body. This stands between a transport and aiohttp's protocol:
it counts from the first byte of a head until the application has the request.
"""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

HEAD_S = 15.0
"""As long as clients of the proxy have by default (`timeouts.head`)."""
BODY_S = 15.0
IDLE_S = 75.0

_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Hurried(asyncio.Protocol):
    """One connection: everything is passed on, and a head that is not whole in `head_s` ends it.

    A new connection has begun a head. One that is kept idle has not: aiohttp closes it by itself, and with it the
    beginning of a head that came in one piece with the request before it.
    """

    def __init__(self, behind: asyncio.Protocol, head_s: float) -> None:
        self._behind = behind
        self._head_s = head_s
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answering = False
        self._ahead = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._start()
        self._behind.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop()
        self._transport = None
        self._behind.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head begins or goes on, or a body."""
        if self._answering:
            self._ahead = True
        elif self._timer is None:
            self._start()
        self._behind.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._behind.eof_received()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._behind.resume_writing()

    def begun(self) -> None:
        """The application has a request."""
        self._stop()
        self._answering, self._ahead = True, False

    def answered(self) -> None:
        """The request is answered; what came meanwhile may begin the next one."""
        self._answering = False
        if self._ahead and self._transport is not None:
            self._start()

    def _start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._head_s, self._late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.write(_LATE)
            self._transport.close()


class Brief(logging.Filter):
    """Tells of a malformed request in a line: aiohttp has a traceback for it, as for a fault of the proxy's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten such a record; all are let through."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.msg, record.args, record.exc_info = "malformed admin request: %s", (first_line(error.message),), None
        return True


def first_line(text: str) -> str:
    """As much of a library's words as fits on a line."""
    return text.strip().partition("\n")[0][:200]


logger = logging.getLogger(__name__)
logger.addFilter(Brief())


@web.middleware
async def in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection that the request is here. The outermost middleware."""
    hurried = None if request.transport is None else request.transport.get_protocol()
    if not isinstance(hurried, Hurried):
        return await handler(request)
    hurried.begun()
    try:
        return await handler(request)
    finally:
        hurried.answered()


@web.middleware
async def whole_body(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take the body within BODY_S before the handler runs. Raises 408.

    The innermost middleware: bodies of strangers are not read.
    """
    if request.body_exists:
        try:
            async with asyncio.timeout(BODY_S):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None
    return await handler(request)
