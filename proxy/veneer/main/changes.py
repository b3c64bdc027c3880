"""Sources of changes put together with a node: who follows them, what the admin listener and /metrics tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from veneer.admin.changes import ChangesAdmin
from veneer.admin.posted import PostedEventsAdmin
from veneer.changes.follower import Follower
from veneer.changes.followers import Followers
from veneer.changes.opening import open_source
from veneer.changes.waiting import SourceWaiter
from veneer.loop.tasks import Tasks
from veneer.main.shared import StoreSet
from veneer.observe.gauges import Gauges
from veneer.policy.model_changes import ChangeSettings
from veneer.policy.node_settings import StoreSettings
from veneer.ports import Clock


@asynccontextmanager
async def open_followers(
    shared: StoreSet, settings: StoreSettings, clock: Clock, tasks: Tasks
) -> AsyncIterator[Followers]:
    """Followers of no source yet; at the end they let go of theirs, so that another node can read at once."""
    opener = partial(open_source, redis_url=settings.redis_url)
    followers = Followers(shared.stores.log.sources, clock, tasks, opener, settings.lease_valid_s)
    try:
        yield followers
    finally:
        await followers.aclose()


def changes_admin(
    shared: StoreSet, clock: Clock, followed: Followers, sources: Callable[[], tuple[ChangeSettings, ...]]
) -> ChangesAdmin:
    """What the admin listener needs of them, and of the `sources` of the policy in force."""
    waiter = SourceWaiter(shared.stores.log.sources, shared.stores.log, clock)
    return ChangesAdmin(waiter, lambda: followed, PostedEventsAdmin(shared.stores.log, sources))


def with_changes(gauges: Gauges, followed: Mapping[str, Follower], shared: StoreSet, now_s: float) -> Gauges:
    """Sources as this process sees them, added; one of which nobody has told anything has no lag."""
    skew, sources = shared.stores.skew, shared.stores.log.sources
    node = "" if skew is None else skew.node
    lag_s: dict[str, float] = {}
    followers: dict[str, int] = {}
    read: dict[str, int] = {}
    gaps: dict[str, int] = {}
    kept: dict[str, int] = {}
    for name, one in followed.items():
        told, counts = sources.told(one.key), one.counts
        if told is not None:
            lag_s[f"{name}\t{node}"] = told.lag_s(now_s)
        followers[f"{name}\t{one.state.value}"] = 1
        for what, count in (("commits", counts.commits), ("tags", counts.tags), ("heartbeats", counts.beats)):
            read[f"{name}\t{what}"] = count
        if one.kept_bytes is not None:
            kept[name] = one.kept_bytes
        gaps.update({f"{name}\t{reason}": count for reason, count in counts.gaps.items()})
    return msgspec.structs.replace(
        gauges,
        changes_lag_s=lag_s,
        changes_followers=followers,
        changes_read=read,
        changes_gaps=gaps,
        changes_kept_bytes=kept,
    )
