"""What a node tells operators of itself: where each part of it is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from veneer.admin.entries import EntryFinder
from veneer.admin.inspection import NodeInspection
from veneer.admin.recent import RecentPurges
from veneer.admin.standing import NodeLeaseView, RedisView, ReloadView, Standing, TargetView, UpstreamView
from veneer.admin.tail import LogTail, Watch
from veneer.core.fields import Fields
from veneer.core.identity import Proofs
from veneer.identity.provers import IdentityProvers
from veneer.main.backends import Backends
from veneer.main.shared import StoreSet
from veneer.observe.counters import Snapshot
from veneer.observe.lines import timestamp
from veneer.policy.model import Policy
from veneer.policy.watch import ReloadOutcome
from veneer.ports import Clock, LeaseState
from veneer.stores.redis_log import RedisLog
from veneer.version import running_version

_USERINFO: Final = re.compile(r"(://)[^\s]*@")
_LONGEST_ERROR: Final = 4_000


class LastReload:
    """What became of the last reload."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.told = ReloadView()

    def note(self, outcome: ReloadOutcome) -> None:
        """A reload, whatever came of it."""
        error = "" if outcome.error is None else str(outcome.error)[:_LONGEST_ERROR]
        result = "refused" if error else "changed" if outcome.changed else "unchanged"
        self.told = ReloadView(result, timestamp(self._clock.now()), error, outcome.needs_restart)


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of a node that are asked. `status` is "starting", "ok" or "draining"."""

    policy: Callable[[], Policy]
    clock: Clock
    started_s: float
    file: str
    shared: StoreSet
    backends: Backends
    identities: IdentityProvers
    last_reload: LastReload
    status: Callable[[], str]
    watch: Watch
    snapshot: Callable[[], Snapshot]

    def inspection(self) -> NodeInspection:
        """The handlers over them."""
        stores = self.shared.stores
        finder = EntryFinder(
            policy=self.policy,
            log=stores.log,
            clock=self.clock,
            items=stores.memory.items,
            shared=None if stores.sampler is None else stores.sampler.under,
            prove=self._prove,
        )
        return NodeInspection(
            policy=self.policy,
            clock=self.clock,
            started_s=self.started_s,
            file=self.file,
            standing=self.standing,
            finder=finder,
            purges=RecentPurges(self.clock),
            tail=LogTail(self.watch),
            snapshot=self.snapshot,
        )

    def _prove(self, fields: Fields, now: float) -> Proofs:
        """As if a trusted proxy had sent them: who may ask here may know."""
        return self.identities.prove(self.policy().identities, fields, now, trusted=True)

    async def standing(self) -> Standing:
        """How it stands now."""
        policy, log, now_s = self.policy(), self.shared.stores.log, self.clock.now()
        return Standing(
            status=self.status(),
            version=running_version(),
            node=self._node,
            started=timestamp(self.started_s),
            uptime_s=round(max(0.0, now_s - self.started_s), 3),
            policy=policy.version_digest,
            file=self.file,
            reload=self.last_reload.told,
            lease_held=log.lease_state() is LeaseState.HELD,
            position=log.position,
            upstreams=tuple(self._upstreams()),
            redis=self._redis(policy),
            nodes=await self._nodes(),
        )

    @property
    def _node(self) -> str:
        skew = self.shared.stores.skew
        return "" if skew is None else skew.node

    def _upstreams(self) -> Sequence[UpstreamView]:
        found: list[UpstreamView] = []
        states = self.backends.states()
        for name, load in self.backends.loads().items():
            targets = tuple(TargetView(url, state) for url, state in states[name])
            found.append(UpstreamView(name, targets, load.in_use, load.limit, load.waiting, load.refused))
        return found

    def _redis(self, policy: Policy) -> RedisView | None:
        stores = self.shared.stores
        if stores.states is None or not isinstance(stores.log, RedisLog):
            return None
        trouble = stores.log.trouble
        url = _USERINFO.sub(r"\1(not shown)@", policy.stores.redis_url or "")
        return RedisView(url, stores.states.state.value, "" if trouble is None else trouble.value)

    async def _nodes(self) -> tuple[NodeLeaseView, ...] | None:
        sampler = self.shared.stores.sampler
        if sampler is None:
            return (NodeLeaseView(self._node, None, here=True),)
        leases = await sampler.nodes()
        if leases is None:
            return None
        return tuple(NodeLeaseView(name, left_s, here=name == self._node) for name, left_s in leases)
