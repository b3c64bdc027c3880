"""Where a connection to a backend and the exchange on it stand, and what may happen there.

As states with a table of transitions (the same is done in h11): what is not in the table cannot happen, and whoever
tries it has a bug.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class ExchangePhase(Enum):
    """Where a connection stands. "Early" is what comes of a response before the request has left whole."""

    __hash__ = object.__hash__  # that of Enum runs Python, and each exchange looks into the table

    CONNECTING = "connecting"
    IDLE = "idle"
    """It may carry an exchange."""
    SENDING = "sending"
    """The request leaves; no final response head has come."""
    AWAITING = "awaiting"
    """The request has left; no final response head has come."""
    RECEIVING_EARLY = "receiving early"
    """The head has come, and the body comes, while the request leaves."""
    RECEIVING = "receiving"
    WHOLE_EARLY = "whole early"
    """The response is whole, and the request is not: no other may follow it on this connection."""
    WHOLE = "whole"
    """Both are; the connection is to be released."""
    TUNNEL = "tunnel"
    """After 101 bytes go both ways (RFC 9110 section 15.2.2)."""
    TUNNEL_ENDING = "tunnel ending"
    """The backend sends no more; what goes to it may go on."""
    CLOSING = "closing"
    """Nothing is read or sent any more; the transport has not said yet that it is closed."""
    CLOSED = "closed"


class ExchangeEvent(Enum):
    """What happens to a connection."""

    __hash__ = object.__hash__

    CONNECTED = "connected"
    REQUEST_BEGUN = "request begun"
    """Its head is written, and its content follows."""
    REQUEST_WRITTEN = "request written"
    """It is written whole at once."""
    REQUEST_ENDED = "request ended"
    """The last of its content is written."""
    HEAD = "head"
    """The final response head is here, and a body follows."""
    RESPONSE_ENDED = "response ended"
    SWITCHED = "switched"
    """101 is here."""
    RELEASED = "released"
    EOF = "eof"
    """The backend sends no more."""
    ABORTED = "aborted"
    """The connection is given up here."""
    LOST = "lost"
    """The transport is closed."""


Transitions = dict[ExchangePhase, dict[ExchangeEvent, ExchangePhase]]

_P, _E = ExchangePhase, ExchangeEvent
_ENDS: Final = {_E.EOF: _P.CLOSING, _E.ABORTED: _P.CLOSING, _E.LOST: _P.CLOSED}

ENDED: Final = frozenset({_P.TUNNEL_ENDING, _P.CLOSING, _P.CLOSED})
"""No exchange can begin or go on, but for what is still sent through a tunnel."""
UNDER_WAY: Final = frozenset({_P.SENDING, _P.AWAITING, _P.RECEIVING_EARLY, _P.RECEIVING})
"""A response is due that is not whole."""

TRANSITIONS: Final[Transitions] = {
    _P.CONNECTING: {_E.CONNECTED: _P.IDLE, _E.LOST: _P.CLOSED},
    _P.IDLE: {_E.REQUEST_BEGUN: _P.SENDING, _E.REQUEST_WRITTEN: _P.AWAITING, **_ENDS},
    _P.SENDING: {
        _E.REQUEST_ENDED: _P.AWAITING,
        _E.HEAD: _P.RECEIVING_EARLY,
        _E.RESPONSE_ENDED: _P.WHOLE_EARLY,
        _E.SWITCHED: _P.TUNNEL,
        **_ENDS,
    },
    _P.AWAITING: {_E.HEAD: _P.RECEIVING, _E.RESPONSE_ENDED: _P.WHOLE, _E.SWITCHED: _P.TUNNEL, **_ENDS},
    _P.RECEIVING_EARLY: {_E.REQUEST_ENDED: _P.RECEIVING, _E.RESPONSE_ENDED: _P.WHOLE_EARLY, **_ENDS},
    _P.RECEIVING: {_E.RESPONSE_ENDED: _P.WHOLE, **_ENDS},
    _P.WHOLE_EARLY: {_E.REQUEST_ENDED: _P.WHOLE, **_ENDS},
    _P.WHOLE: {_E.RELEASED: _P.IDLE, **_ENDS},
    _P.TUNNEL: {_E.REQUEST_ENDED: _P.TUNNEL, **_ENDS, _E.EOF: _P.TUNNEL_ENDING},
    _P.TUNNEL_ENDING: {_E.REQUEST_ENDED: _P.TUNNEL_ENDING, _E.ABORTED: _P.CLOSING, _E.LOST: _P.CLOSED},
    # Who sends a request's content, or gives a connection up, may not know yet that it has ended.
    _P.CLOSING: {_E.REQUEST_ENDED: _P.CLOSING, **_ENDS},
    _P.CLOSED: {_E.REQUEST_ENDED: _P.CLOSED, _E.ABORTED: _P.CLOSED},
}


class PhaseError(Exception):
    """What happened cannot happen where the connection stands."""

    def __init__(self, phase: ExchangePhase, event: ExchangeEvent) -> None:
        super().__init__(f"{event.value!r} in the phase {phase.value!r}")
