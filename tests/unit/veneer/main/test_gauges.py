"""What the rooms say of themselves reaches a scrape."""

from __future__ import annotations

import os

from tests.support.retrieval import ScriptedRetriever
from veneer.core.listen_address import Address
from veneer.identity.provers import IdentityProvers
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.main.backends import Backends
from veneer.main.gauges import certificate_ends, gauges_of
from veneer.main.shared import StoreSet
from veneer.pipeline.recompress import RecompressionCounts
from veneer.policy.listener_tls import Certificate, CertificatePair, ListenerTls
from veneer.policy.model import UpstreamSettings
from veneer.policy.model_targets import TargetSettings
from veneer.policy.node_settings import ListenerSettings, StoreSettings
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


async def test_targets_are_told_one_by_one() -> None:
    clock, tasks = SystemClock(), Tasks()
    shared = StoreSet(memory_stores(clock), MemoryRates(clock))
    backends = Backends(clock, tasks)
    targets = (TargetSettings("http://127.0.0.1:1"), TargetSettings("http://127.0.0.1:2", drain=True))
    several = UpstreamSettings("several", targets[0].url, targets=targets)
    backends.apply({"one": UpstreamSettings("one", "http://127.0.0.1:3"), "several": several})
    identities = IdentityProvers(ScriptedRetriever(), tasks)
    found = gauges_of(
        shared, StoreSettings(), RecompressionCounts(), identities, dict, backends.loads(), backends.target_sets()
    )
    assert found.upstream_targets == {"several\t127.0.0.1:1\tup": 1, "several\t127.0.0.1:2\tdraining": 1}
    assert found.upstream_ejections == {"several": 0}
    assert found.upstream_retries == {"made": 0, "over_budget": 0}
    await backends.aclose()


def test_of_several_certificates_for_a_name_the_soonest_end_is_told() -> None:
    ends = {"a": (("a.example", "b.example"), 5.0), "b": (("c.example",), 7.0), "c": (("a.example",), 3.0)}
    pairs = [CertificatePair(path, held=Certificate(names, 0.0, end)) for path, (names, end) in ends.items()]
    address = Address("0.0.0.0", 8443)
    listeners = [
        ListenerSettings(address, tls=ListenerTls((*pairs, CertificatePair("gone")))),
        ListenerSettings(Address("127.0.0.1", 8080)),
    ]
    here = f"{os.getpid()}\t0.0.0.0:8443"
    assert certificate_ends(listeners) == {f"{here}\ta.example": 3.0, f"{here}\tc.example": 7.0}
