"""Protocols between the pipeline and the rooms below it. Doubles for tests exist only for these."""

from veneer.core.messages import BytesLike
from veneer.ports.changes import (
    AsOf,
    Beat,
    ChangeItem,
    ChangeSource,
    ChangeStream,
    Committed,
    SourceClaim,
    SourceError,
    SourceLog,
    SourceMoment,
    SourceTold,
    StreamOrigin,
)
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
from veneer.ports.identities import Identities, NoIdentities
from veneer.ports.leases import FirstBytesHandler, LeasedConnection
from veneer.ports.rates import RateStore
from veneer.ports.retrieval import Resource, Retrieved, Retriever
from veneer.ports.spans import OutgoingSpan, OutgoingSpans, ServerName
from veneer.ports.stores import (
    EntryStore,
    EvictionListener,
    FetchLock,
    FetchLocks,
    InvalidationLog,
    LeaseState,
    LocalLog,
    LocalStore,
    LockAttempt,
    LockReleased,
    LockWish,
    OnLooked,
    OnReceipt,
    Receipt,
    SharedLookups,
)
from veneer.ports.streams import ByteSink, Content, InterimSink, Tunnel
from veneer.ports.upstream import SentTo, Upstream, UpstreamError, UpstreamFailure, UpstreamResponse

__all__ = [
    "AsOf",
    "Beat",
    "BodyError",
    "BodyMalformedError",
    "BodyTooLargeError",
    "BodyTooSlowError",
    "ByteSink",
    "BytesLike",
    "ChangeItem",
    "ChangeSource",
    "ChangeStream",
    "Client",
    "ClientGoneError",
    "Clock",
    "Codec",
    "Committed",
    "Content",
    "Demand",
    "EntryStore",
    "EvictionListener",
    "FetchLock",
    "FetchLocks",
    "FirstBytesHandler",
    "Identities",
    "InterimSink",
    "InvalidationLog",
    "LeaseState",
    "LeasedConnection",
    "LocalLog",
    "LocalStore",
    "LockAttempt",
    "LockReleased",
    "LockWish",
    "NoIdentities",
    "OnLooked",
    "OnReceipt",
    "OutgoingSpan",
    "OutgoingSpans",
    "RateStore",
    "Receipt",
    "Resource",
    "Retrieved",
    "Retriever",
    "SentTo",
    "ServerName",
    "SharedLookups",
    "SourceClaim",
    "SourceError",
    "SourceLog",
    "SourceMoment",
    "SourceTold",
    "StreamEncoder",
    "StreamOrigin",
    "Tunnel",
    "Upstream",
    "UpstreamError",
    "UpstreamFailure",
    "UpstreamResponse",
]
