"""When a service is asked whose a credential is, and what its answer is good for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.support.entries import FakeClock
from tests.support.retrieval import ScriptedRetriever
from veneer.core.fields import Fields
from veneer.core.identity import known_at
from veneer.identity.provers import IdentityProvers
from veneer.loop.tasks import Tasks
from veneer.policy.load import parse_policy
from veneer.policy.model_identity import Identity
from veneer.ports import Retrieved

POLICY = """\
identities:
  asked:
    subrequest:
      url: http://auth.example/who?brief
      credentials: [Authorization, "cookie:sid"]
      values: {tenant: X-Tenant}
      timeout: 50ms
"""
NAMES = frozenset({"tenant", "user"})
A = Fields([("Authorization", "Bearer a")])


def says(status: int, *fields: tuple[str, str]) -> dict[str, Retrieved | None]:
    return {"/who?brief": Retrieved(status, Fields(fields), b"")}


def tenant(name: str, *fields: tuple[str, str]) -> dict[str, Retrieved | None]:
    return says(200, ("X-Tenant", name), *fields)


SEVERAL = """\
upstreams:
  auth: {targets: [{url: "http://a.example"}, {url: "http://b.example", drain: true}, {url: "http://c.example"}]}
identities:
  asked: {subrequest: {upstream: auth, path: "/who?brief", credentials: [Authorization], values: {tenant: X-Tenant}}}
"""


class Bench:
    """Provers of one service, and a clock that stands still."""

    def __init__(self, tasks: Tasks, policy: str = POLICY) -> None:
        self.service = ScriptedRetriever(tenant("a"))
        self.clock = FakeClock()
        self.provers = IdentityProvers(self.service, tasks)
        self.by: tuple[Identity, ...] = parse_policy(policy, "p").identities
        self.provers.apply(self.by)

    async def proven(self, fields: Fields = A) -> dict[str, str]:
        proofs = await self.provers.vouched(self.by, NAMES, fields, self.clock)
        return known_at(proofs, self.clock.now())

    def known_to_the_fast_path(self) -> bool:
        now = self.clock.now()
        known = self.provers.bearers.find(self.by, b"Bearer a", now)
        return known is not None and known.scope(("tenant",), now) is not None


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    tasks = Tasks()
    yield Bench(tasks)
    await tasks.aclose()


async def test_of_several_targets_those_that_are_not_drained_may_be_asked() -> None:
    tasks = Tasks()
    bench = Bench(tasks, SEVERAL)
    assert await bench.proven() == {"tenant": "s:a"}
    resource, _ = bench.service.asked[0]
    assert (resource.origin, resource.others) == ("http://a.example", ("http://c.example",))
    await tasks.aclose()


async def test_the_service_is_asked_once_as_long_as_its_answer_lasts(bench: Bench) -> None:
    assert not bench.known_to_the_fast_path()
    for _ in range(3):
        assert await bench.proven() == {"tenant": "s:a"}
    resource, sent = bench.service.asked[0]
    assert (str(resource.origin), resource.target) == ("http://auth.example", "/who?brief")
    assert sent.pairs == (("Authorization", "Bearer a"),)
    assert len(bench.service.asked) == 1
    bench.clock.at += 29.9
    assert bench.known_to_the_fast_path()
    bench.clock.at += 0.1
    bench.service.answers = tenant("b")
    assert not bench.known_to_the_fast_path()
    assert await bench.proven() == {"tenant": "s:b"}


async def test_its_answer_may_say_that_it_lasts_less(bench: Bench) -> None:
    bench.service.answers = tenant("a", ("Cache-Control", "max-age=3"))
    await bench.proven()
    bench.clock.at += 3
    bench.service.answers = says(401)
    assert await bench.proven() == {}


async def test_an_answer_that_is_not_to_be_kept_proves_for_those_who_wait(bench: Bench) -> None:
    bench.service.answers = tenant("a", ("Cache-Control", "no-store"))
    for count in (1, 2):
        assert await bench.proven() == {"tenant": "s:a"}
        assert len(bench.service.asked) == count
    assert not bench.known_to_the_fast_path()


@pytest.mark.parametrize("status", [401, 403, 404, 500, 302])
async def test_a_refusal_proves_nothing_and_is_believed_for_a_while(bench: Bench, status: int) -> None:
    bench.service.answers = says(status, ("X-Tenant", "a"))
    for _ in range(3):
        assert await bench.proven() == {}
        assert not bench.known_to_the_fast_path()
    assert len(bench.service.asked) == 1
    bench.clock.at += 5
    bench.service.answers = tenant("a")
    assert await bench.proven() == {"tenant": "s:a"}


async def test_an_answer_without_the_value_proves_nothing(bench: Bench) -> None:
    bench.service.answers = says(204)
    assert await bench.proven() == {}


async def test_what_is_asked_at_once_is_asked_together_and_outlives_who_asked_first(bench: Bench) -> None:
    gate = bench.service.gate = asyncio.Event()
    first = asyncio.ensure_future(bench.proven())  # noqa: TID251
    others = [asyncio.ensure_future(bench.proven()) for _ in range(5)]  # noqa: TID251
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await asyncio.gather(*others) == [{"tenant": "s:a"}] * 5
    assert len(bench.service.asked) == 1


async def test_different_credentials_are_asked_about_one_by_one(bench: Bench) -> None:
    for fields in (A, Fields([("Authorization", "Bearer b")]), Fields([("Cookie", "sid=1")])):
        await bench.proven(fields)
    assert len(bench.service.asked) == 3
    assert await bench.proven(Fields([("Cookie", "other=1")])) == {}
    assert await bench.provers.vouched(bench.by, frozenset({"other"}), A, bench.clock) == ()
    assert len(bench.service.asked) == 3


async def test_a_service_that_is_away_proves_nothing_and_is_left_alone_for_a_while(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.service.answers = {}
    with caplog.at_level(logging.WARNING):
        for _ in range(9):
            assert await bench.proven() == {}
    assert len(bench.service.asked) == 5
    assert caplog.text.count("does not say who asks") == 1
    bench.clock.at += 1
    bench.service.answers = tenant("a")
    assert await bench.proven() == {"tenant": "s:a"}
    assert (bench.provers.subrequests.proven, bench.provers.subrequests.failed) == (1, 5)


async def test_a_service_that_is_silent_is_waited_for_no_longer_than_the_policy_says(bench: Bench) -> None:
    bench.service.answers = {"/who?brief": None}
    assert await bench.proven() == {}


async def test_a_slow_answer_counts_from_when_it_was_asked_for(bench: Bench) -> None:
    gate = bench.service.gate = asyncio.Event()
    asking = asyncio.ensure_future(bench.proven())  # noqa: TID251
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bench.clock.at += 20
    gate.set()
    assert await asking == {"tenant": "s:a"}
    bench.clock.at += 10
    assert not bench.known_to_the_fast_path()


async def test_another_policy_forgets_what_was_said(bench: Bench) -> None:
    await bench.proven()
    after = parse_policy(POLICY, "p").identities
    bench.provers.apply(after)
    assert bench.provers.bearers.find(after, b"Bearer a", bench.clock.now()) is None
    assert await bench.proven() == {}, "nor does anything by the former one"
    assert bench.provers.vouches(after, NAMES) == frozenset({"tenant"})
    assert bench.provers.vouches(bench.by, NAMES) is None
