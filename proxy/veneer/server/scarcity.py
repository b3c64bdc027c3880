"""Too few file descriptors or too little memory of the kernel's to accept connections: told once for each state."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
CALM_S = 5.0
"""It is over when nothing was missing for so long: what is freed is taken at once while many wait."""


class Scarcity:
    """Whether the system lets this process accept connections. `now` is a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last_s: float | None = None

    def is_scarce(self, error: OSError) -> bool:
        """See why accepting failed; whether the system is short of something."""
        if error.errno not in SCARCE:
            return False
        if self._last_s is None:
            logger.warning(
                "no more connections can be accepted for now: %s; raise the bound on open files (ulimit -n), or lower "
                "`limits.connections` and the upstreams' `max_connections`",
                error.strerror or error,
            )
        self._last_s = self._now()
        return True

    def accepted(self) -> None:
        """Nothing was missing."""
        if self._last_s is not None and self._now() - self._last_s >= CALM_S:
            self._last_s = None
            logger.info("connections can be accepted again")

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear of the loop's own accepting as well: asyncio's reports each connection that it could not take."""
        loop.set_exception_handler(self._loop_failed)

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        accepting = "accept" in str(context.get("message", ""))
        if not (accepting and isinstance(error, OSError) and self.is_scarce(error)):
            loop.default_exception_handler(context)
