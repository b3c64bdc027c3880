"""Whom the pipeline asks for who asks, and how often it works out that nobody has to be asked."""

from __future__ import annotations

from dataclasses import replace

from tests.support.pipeline import Bench
from veneer.core.fields import Fields
from veneer.core.identity import Proof, Proofs
from veneer.pipeline.context import Exchange
from veneer.pipeline.identify import Identifier
from veneer.policy.load import parse_policy
from veneer.ports import Clock
from veneer.ports.credentials import Definitions, NoBearers

POLICY = """\
identities: {asked: {subrequest: {url: "http://a.example/who", credentials: [Authorization], values: {team: X-Team}}}}
routes: [{name: shared, match: {path: /x}, cache: {share: identity.team, ttl: 1m}}]
"""


class OneService:
    """Identities of which a service knows `known`; None where other definitions have been applied."""

    def __init__(self, known: frozenset[str] | None) -> None:
        self.bearers = NoBearers()
        self.known = known
        self.looked: list[frozenset[str]] = []
        self.asked = 0

    def prove(self, *_: object, trusted: bool) -> Proofs:
        return ()

    def vouches(self, identities: Definitions, names: frozenset[str]) -> frozenset[str] | None:
        self.looked.append(names)
        return self.known

    async def vouched(self, identities: Definitions, names: frozenset[str], fields: Fields, clock: Clock) -> Proofs:
        self.asked += 1
        return (Proof((("team", "s:red"),), "d", authorization=True),)


def exchange(bench: Bench) -> Exchange:
    policy = parse_policy(POLICY, "p")
    return replace(bench.exchange(("Authorization", "x")), policy=policy, match=policy.match("GET", "/x", None))


async def test_a_service_that_knows_is_asked_for_each_request() -> None:
    bench, service = Bench(), OneService(frozenset({"team"}))
    identifier, asked = Identifier(service), exchange(bench)
    for _ in range(2):
        found = await identifier.identified(asked, bench.clock)
        assert found.match.route.cache.scope is not None
        assert found.match.identity == {"identity.team": "red"}
    assert (service.looked, service.asked) == ([frozenset({"team"})], 2)


async def test_that_nobody_knows_is_worked_out_once_for_a_route() -> None:
    bench, service = Bench(), OneService(frozenset())
    identifier, asked = Identifier(service), exchange(bench)
    for _ in range(3):
        assert (await identifier.identified(asked, bench.clock)).match.route.cache.scope is None
    assert (len(service.looked), service.asked) == (1, 0)


async def test_nothing_is_remembered_of_definitions_that_are_not_applied() -> None:
    bench, service = Bench(), OneService(None)
    identifier, asked = Identifier(service), exchange(bench)
    await identifier.identified(asked, bench.clock)
    service.known = frozenset({"team"})
    assert (await identifier.identified(asked, bench.clock)).match.route.cache.scope is not None
