"""What the admin application needs of the rest: small ports, so that anything can be put behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from veneer.admin.access import AdminAccess
from veneer.admin.changes import ChangesAdmin
from veneer.admin.history import History
from veneer.admin.inspection import NodeInspection
from veneer.admin.purge_counts import PurgeCounts
from veneer.core.entry import Entry
from veneer.observe.counters import Snapshot
from veneer.observe.metrics import Metrics
from veneer.policy.model import Policy
from veneer.ports import Clock, InvalidationLog
from veneer.stores.sampler import Sample

Check = Callable[[], Awaitable[str]]
"""Looks after one part: returns a word or two about it; raises whatever went wrong when it is down."""


def _nothing() -> Iterable[Entry]:
    return ()


async def _no_sample() -> Sequence[Sample] | None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class AdminDeps:
    """`snapshot` is the counters of this process or of all. `checks` are by part ("redis", "upstream:etter").

    `entries` lists what memory holds and `sample` looks into the shared store, for dry runs of a purge. `starting` is
    true before the proxy takes requests, `draining` once it has begun to stop.
    `metrics` None means that they are switched off. `changes` tells of sources of changes, `history` of the last hour,
    `inspection` what operators ask of the node.
    """

    access: AdminAccess
    clock: Clock
    log: InvalidationLog
    snapshot: Callable[[], Snapshot]
    policy: Callable[[], Policy]
    metrics: Metrics | None = None
    checks: Callable[[], Mapping[str, Check]] = field(default=dict)
    entries: Callable[[], Iterable[Entry]] = _nothing
    sample: Callable[[], Awaitable[Sequence[Sample] | None]] = _no_sample
    starting: Callable[[], bool] = _never
    draining: Callable[[], bool] = _never
    changes: ChangesAdmin | None = None
    history: History | None = None
    purges: PurgeCounts = field(default_factory=PurgeCounts)
    inspection: NodeInspection | None = None
