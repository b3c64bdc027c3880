"""What the rooms say of themselves reaches a scrape."""

from __future__ import annotations

from tests.support.retrieval import ScriptedRetriever
from veneer.identity.provers import IdentityProvers
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.main.gauges import gauges_of
from veneer.main.shared import StoreSet
from veneer.pipeline.recompress import RecompressionCounts
from veneer.policy.node_settings import StoreSettings
from veneer.stores.assemble import memory_stores
from veneer.upstream.gate import Load


async def test_clients_whose_limits_were_given_up_are_told() -> None:
    clock = SystemClock()
    rates = MemoryRates(clock)
    rates.forgotten = 3
    shared = StoreSet(memory_stores(clock), rates)
    identities = IdentityProvers(ScriptedRetriever(), Tasks())
    loads = {"one": Load(9, 8, 7, 6)}
    found = gauges_of(shared, StoreSettings(), RecompressionCounts(), identities, dict, loads)
    assert found.rate_clients_forgotten == 3
    assert (found.upstream_places, found.upstream_places_used) == ({"one": 9}, {"one": 8})
    assert (found.upstream_waiting, found.upstream_refused) == ({"one": 7}, {"one": 6})
