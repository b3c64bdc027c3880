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
from veneer.ports.leases import Lease, Taker
from veneer.ports.rates import RateStore
from veneer.ports.stores import (
    Companion,
    EntryStore,
    FetchTurns,
    InvalidationLog,
    LocalStore,
    Receipt,
    Standing,
    Turn,
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
    "FetchTurns",
    "InterimSink",
    "InvalidationLog",
    "Lease",
    "LocalStore",
    "Octets",
    "Outlet",
    "RateStore",
    "Receipt",
    "Standing",
    "StreamEncoder",
    "Taker",
    "Tunnel",
    "Turn",
    "TurnOver",
    "Upstream",
    "UpstreamError",
    "UpstreamFailure",
    "UpstreamResponse",
]
