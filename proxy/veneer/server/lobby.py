"""Connections that have not yet told what a listener asks for first: in a TLS handshake, or before a PROXY header."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from veneer.core.proxy_header import ProxyProblem

MAX_WAITING: Final = 1024
"""Who waits longest gives way to one more: it has had the most time."""


class Refused(Enum):
    """Why a connection ended before it could ask for anything."""

    LATE = "late"
    CROWDED = "crowded"
    GONE = "gone"
    STOPPING = "stopping"
    NOT_TLS = "not-tls"
    NO_COMMON_TLS = "no-common-tls"
    CERTIFICATE = "certificate"
    TLS = "tls"


class Newcomer(Protocol):
    """A connection in the lobby."""

    def dismiss(self, why: Refused) -> None:
        """End it; it has left the lobby."""
        ...


class Lobby:
    """Of one process. Each connection has `patience_s` seconds, and counts for its reason where it does not get in.

    `later` is the loop's `call_later`.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
        patience_s: float,
        most: int = MAX_WAITING,
    ) -> None:
        self._later = later
        self._patience_s = patience_s
        self._most = most
        self._ended = False
        self._waiting: dict[Newcomer, asyncio.TimerHandle] = {}
        self.refused: dict[str, int] = {}
        """Connections that did not get in, by reason."""

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, newcomer: Newcomer) -> None:
        """Wait for what it has to tell."""
        if self._ended:
            newcomer.dismiss(Refused.STOPPING)
            return
        if len(self._waiting) >= self._most:
            self._dismiss(next(iter(self._waiting)), Refused.CROWDED)
        self._waiting[newcomer] = self._later(self._patience_s, lambda: self._dismiss(newcomer, Refused.LATE))

    def leave(self, newcomer: Newcomer) -> None:
        """It has told it, or is gone; nothing where it had left already."""
        timer = self._waiting.pop(newcomer, None)
        if timer is not None:
            timer.cancel()

    def refuse(self, newcomer: Newcomer, why: Refused | ProxyProblem) -> None:
        """It does not get in; nothing where it had left already."""
        if newcomer in self._waiting:
            self.leave(newcomer)
            self.refused[why.value] = self.refused.get(why.value, 0) + 1

    def end(self) -> None:
        """Nobody gets in any more: a connection that came too late to be served is closed."""
        self._ended = True
        for newcomer in list(self._waiting):
            self._dismiss(newcomer, Refused.STOPPING)

    def _dismiss(self, newcomer: Newcomer, why: Refused) -> None:
        self.refuse(newcomer, why)
        newcomer.dismiss(why)
