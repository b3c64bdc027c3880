"""The states of a client connection: whose the bytes are that come next, and how that changes."""

from __future__ import annotations

from enum import Enum
from typing import Final


class ConnectionState(Enum):
    """Who takes what comes next. `docs/architecture.md` draws what may follow what."""

    IDLE = "nothing goes on: what comes begins a request"
    BATCHED = "a request has begun, and waits for the end of the loop's iteration"
    FASTPATH = "the fast path has sent a request on: what comes waits until it is answered"
    PLAIN = "the pipeline answers a plain request: what comes waits until it is answered"
    ENDING = "as FASTPATH or PLAIN, and nothing is answered after it"
    AIOHTTP = "aiohttp reads or answers: what comes is for its parser"
    TUNNEL = "protocols were switched: what comes is for the tunnel"
    CLOSING = "nothing more is answered: of what comes aiohttp reads the rest of a body"
    CLOSED = "the connection is lost"


IDLE: Final = ConnectionState.IDLE  # to look a member of an Enum up runs Python
BATCHED: Final = ConnectionState.BATCHED
FASTPATH: Final = ConnectionState.FASTPATH
PLAIN: Final = ConnectionState.PLAIN
ENDING: Final = ConnectionState.ENDING
AIOHTTP: Final = ConnectionState.AIOHTTP
TUNNEL: Final = ConnectionState.TUNNEL
CLOSING: Final = ConnectionState.CLOSING
CLOSED: Final = ConnectionState.CLOSED

_STOP: Final = "it is to end"
_LOST: Final = "lost"
_LAST: Final = "answered for the last time"

TRANSITIONS: Final[dict[ConnectionState, dict[ConnectionState, str]]] = {
    IDLE: {BATCHED: "a request begins", AIOHTTP: "its client reads too slowly", CLOSING: _STOP, CLOSED: _LOST},
    BATCHED: {
        IDLE: "answered from its bytes alone",
        FASTPATH: "a miss or a write like one before",
        PLAIN: "exactly one plain request",
        AIOHTTP: "anything else",
        CLOSING: "taking it up has failed",
        CLOSED: _LOST,
    },
    FASTPATH: {IDLE: "answered", ENDING: _STOP, CLOSING: _LAST, CLOSED: _LOST},
    PLAIN: {IDLE: "answered", ENDING: _STOP, CLOSING: _LAST, CLOSED: _LOST},
    ENDING: {CLOSING: _LAST, CLOSED: _LOST},
    AIOHTTP: {
        BATCHED: "idle, and a request begins",
        TUNNEL: "101 was sent",
        CLOSING: _STOP,
        CLOSED: _LOST,
    },
    TUNNEL: {CLOSED: _LOST},
    CLOSING: {TUNNEL: "101 was sent as the last answer", CLOSED: _LOST},
    CLOSED: {},
}
"""What may follow each state, and when it does."""


class TransitionError(Exception):
    """A fault of our own: the connection was to enter a state that cannot follow the one that it is in."""

    def __init__(self, before: ConnectionState, after: ConnectionState) -> None:
        super().__init__(f"a connection that is {before.name} cannot become {after.name}")
