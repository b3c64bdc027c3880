"""Protocols between the pipeline and the rooms below it. Doubles for tests exist only for these."""

from veneer.core.messages import Octets
from veneer.ports.client import (
    BodyError,
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    Client,
    ClientGoneError,
)
from veneer.ports.clock import Clock
from veneer.ports.codings import Codec, StreamEncoder
from veneer.ports.demand import Demand
from veneer.ports.leases import LeasedConnection, Taker
from veneer.ports.rates import RateStore
from veneer.ports.stores import (
    Companion,
    EntryStore,
    FetchLock,
    FetchTurns,
    InvalidationLog,
    LocalStore,
    Receipt,
    Standing,
    TurnOver,
)
from veneer.ports.streams import Content, InterimSink, Outlet, Tunnel
from veneer.ports.upstream import Upstream, UpstreamError, UpstreamFailure, UpstreamResponse

__all__ = [
    "BodyError",
    "BodyMalformedError",
    "BodyTooLargeError",
    "BodyTooSlowError",
    "Client",
    "ClientGoneError",
    "Clock",
    "Codec",
    "Companion",
    "Content",
    "Demand",
    "EntryStore",
    "FetchLock",
    "FetchTurns",
    "InterimSink",
    "InvalidationLog",
    "LeasedConnection",
    "LocalStore",
    "Octets",
    "Outlet",
    "RateStore",
    "Receipt",
    "Standing",
    "StreamEncoder",
    "Taker",
    "Tunnel",
    "TurnOver",
    "Upstream",
    "UpstreamError",
    "UpstreamFailure",
    "UpstreamResponse",
]
