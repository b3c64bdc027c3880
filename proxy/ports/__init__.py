"""Protocols between the pipeline and the rooms below it. Doubles for tests exist only for these."""

from proxy.core.messages import Octets
from proxy.ports.client import (
    BodyError,
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    Client,
    ClientGoneError,
)
from proxy.ports.clock import Clock
from proxy.ports.codings import Codec, StreamEncoder
from proxy.ports.demand import Demand
from proxy.ports.leases import Lease, Taker
from proxy.ports.rates import RateStore
from proxy.ports.stores import (
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
from proxy.ports.streams import Content, InterimSink, Outlet, Tunnel
from proxy.ports.upstream import Upstream, UpstreamError, UpstreamFailure, UpstreamResponse

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
