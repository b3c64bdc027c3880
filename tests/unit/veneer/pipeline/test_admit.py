"""Rate: who is counted under which name, and what is asked of the store."""

from __future__ import annotations

import pytest

from tests.support.pipeline import Bench
from veneer.core.fields import Pair
from veneer.core.rate import RateLimit
from veneer.pipeline.admit import body_limit, client_counted, count, refused_by_head, refused_by_rate
from veneer.pipeline.context import Exchange
from veneer.policy.model_rates import RateKey, RateKeyKind, RateRule

LIMIT = RateLimit(name="one", quota=1, window_s=60.0, burst=1)


def counted(exchange: Exchange, rule: RateRule) -> str:
    return client_counted(rule, exchange.match, exchange.request.fields, exchange.client_ip)


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        (RateKeyKind.CLIENT_IP, [], "10.0.0.1"),
        (RateKeyKind.HEADER, [("X-Api-Key", "k")], "k"),
        (RateKeyKind.HEADER, [], "ip:10.0.0.1"),
        (RateKeyKind.AUTHORIZATION, [("Authorization", "Bearer t")], "Bearer t"),
        (RateKeyKind.AUTHORIZATION, [], "ip:10.0.0.1"),
    ],
)
def test_the_name_of_a_client(kind: RateKeyKind, fields: list[Pair], name: str) -> None:
    rule = RateRule(LIMIT, RateKey(kind, "x-api-key" if kind is RateKeyKind.HEADER else None))
    assert counted(Bench().exchange(*fields), rule) == name


@pytest.mark.parametrize("kind", [RateKeyKind.ROUTE, RateKeyKind.GLOBAL])
def test_a_shared_quota_does_not_depend_on_the_client(kind: RateKeyKind) -> None:
    bench, rule = Bench(), RateRule(LIMIT, RateKey(kind))
    assert counted(bench.exchange(), rule) == counted(bench.exchange(("Authorization", "x")), rule)


async def test_a_route_without_a_limit_counts_nothing() -> None:
    bench = Bench()
    assert await count(bench.services, bench.exchange()) is None


async def test_the_quota_is_counted_and_the_refusal_says_when_to_come_back() -> None:
    bench = Bench("{name: r, match: {path: /x}, rate_limit: one}")
    first = await count(bench.services, bench.exchange())
    second = await count(bench.services, bench.exchange())
    assert first is not None
    assert second is not None
    assert (first.allowed, second.allowed) == (True, False)
    answer = refused_by_rate("/x", "id", second)
    assert (answer.head.status, answer.head.fields.get("retry-after"), answer.error) == (429, "3600", "")


def test_a_routes_own_bound_on_bodies_goes_before_the_general_one() -> None:
    bench = Bench("{name: r, match: {path: /x}, max_body: 1KB}")
    assert body_limit(bench.exchange()) == 1024
    assert body_limit(bench.exchange(path="/other")) == bench.policy.limits.body_bytes
    assert refused_by_head(bench.services, bench.exchange(("Content-Length", "1024"))) is None
    assert refused_by_head(bench.services, bench.exchange(("Content-Length", "many"))) is None
    refused = refused_by_head(bench.services, bench.exchange(("Content-Length", "1025")))
    assert refused is not None
    assert refused.head.status == 413
