"""Names that lead to several targets: followed as they change, and kept while no answer comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from tests.support.clock import ManualClock
from tests.support.dns_server import running_name_server
from tests.support.origin import Origin, OriginConnection, Script, answering, read_body, running_origin
from tests.unit.veneer.upstream.conftest import request
from veneer.core.balancing import TargetLoad
from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.policy.model_targets import Resolve, RetryRules, TargetSettings
from veneer.ports import UpstreamError, UpstreamFailure
from veneer.upstream.following import LEAST_S, MOST_TARGETS, FollowedName, FollowedTargets
from veneer.upstream.names import Names
from veneer.upstream.open import open_upstream, targets_of
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.services import Destination, NameAnswer
from veneer.upstream.settings import Endpoint, PoolSettings
from veneer.upstream.states import condition_of, states_of
from veneer.upstream.target import SetRules, UpstreamTarget


def saying(text: str) -> Script:
    return answering(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


@dataclass
class Dns:
    """A name that leads where it is told to."""

    says: NameAnswer | OSError = field(default_factory=lambda: NameAnswer([]))
    asked: int = 0

    async def __call__(self) -> NameAnswer:
        self.asked += 1
        if isinstance(self.says, OSError):
            raise self.says
        return self.says

    def leads_to(self, *origins: Origin, ttl_s: float | None = None) -> None:
        self.says = NameAnswer([place_of(origin) for origin in origins], ttl_s)


def place_of(origin: Origin, weight: int = 1, rank: int = 0) -> Destination:
    return Destination("127.0.0.1", Endpoint.parse(origin.url).port, weight, rank)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@dataclass
class Followed:
    targets: FollowedTargets
    name: FollowedName
    dns: Dns

    async def ask(self) -> bytes:
        response = await self.targets.exchange(request(), None)
        try:
            return b"".join([piece async for piece in response.body()])
        finally:
            await response.aclose()

    async def look(self) -> None:
        """Another look-up, as the next interval brings one."""
        before = self.dns.asked
        await until(lambda: self.dns.asked > before)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def followed(dns: Dns, clock: ManualClock, *fixed: Origin, patience_s: float = 5.0) -> AsyncIterator[Followed]:
    tasks = Tasks()

    def make(place: Destination) -> UpstreamTarget:
        endpoint = Endpoint("app.test", place.port, at=place.at)
        return UpstreamTarget(UpstreamPool(PoolSettings(endpoint), clock, tasks), load=TargetLoad(place.weight))

    name = FollowedName("http://app.test", dns, make)
    rules = SetRules("app", retries=RetryRules(refused_s=0.0), patience_s=patience_s)
    parts: list[UpstreamTarget | FollowedName] = [*[make(place_of(origin)) for origin in fixed], name]
    targets = FollowedTargets(parts, rules, 0.01, clock, tasks)
    try:
        yield Followed(targets, name, dns)
    finally:
        await targets.aclose()
        await tasks.aclose()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never became true")


async def test_each_address_is_a_target_and_a_changed_answer_changes_them(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "veneer.upstream.following")
    async with running_origin(saying("one")) as one, running_origin(saying("two")) as two:
        dns = Dns()
        dns.leads_to(one)
        async with followed(dns, clock) as bench:
            assert await bench.ask() == b"one"
            (first,) = bench.targets.targets
            dns.leads_to(one, two)
            await until(lambda: len(bench.targets.targets) == 2)
            assert first in bench.targets.targets
            dns.leads_to(two)
            await until(lambda: first not in bench.targets.targets)
            assert {await bench.ask() for _ in range(5)} == {b"two"}
    changes = [line for line in caplog.messages if "leads to" in line]
    assert len(changes) == 3
    assert changes[0].startswith("http://app.test leads to 127.0.0.1:")


async def test_who_watches_is_told_of_each_that_a_name_leads_to(clock: ManualClock) -> None:
    async with running_origin(saying("one")) as one, running_origin(saying("two")) as two:
        dns = Dns()
        dns.leads_to(one, two)
        async with followed(dns, clock) as bench:
            assert states_of(bench.targets, "http://app.test") == []
            assert not condition_of(bench.targets).up, "it leads nowhere yet"
            await bench.ask()
            told = states_of(bench.targets, "http://app.test")
            assert condition_of(bench.targets).up
    assert [state for _, state in told] == ["up", "up"]
    assert len({name for name, _ in told}) == 2


async def test_what_comes_later_begins_slowly_and_what_was_there_at_first_does_not(clock: ManualClock) -> None:
    async with running_origin(saying("one")) as one, running_origin(saying("two")) as two:
        dns = Dns()
        dns.leads_to(one)
        async with followed(dns, clock) as bench:
            await bench.ask()
            dns.leads_to(one, two)
            await until(lambda: len(bench.targets.targets) == 2)
            assert [target.load.back_s for target in bench.name.targets] in (
                [None, clock.monotonic()],
                [clock.monotonic(), None],
            )


async def test_what_is_gone_ends_what_it_has(clock: ManualClock) -> None:
    go_on = asyncio.Event()

    async def slow(connection: OriginConnection) -> None:
        await read_body(connection, await connection.request_head())
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
        await go_on.wait()
        await connection.send(b"ow")
        await connection.closed_by_peer()

    async with running_origin(slow) as one, running_origin(saying("two")) as two:
        dns = Dns()
        dns.leads_to(one)
        async with followed(dns, clock) as bench:
            response = await bench.targets.exchange(request(), None)
            (gone,) = bench.targets.targets
            dns.leads_to(two)
            await until(lambda: gone not in bench.targets.targets)
            go_on.set()
            assert b"".join([piece async for piece in response.body()]) == b"slow"
            await response.aclose()
            await until(lambda: gone.pool.open_connections == 0)


@pytest.mark.parametrize("says", [NameAnswer([]), OSError("no answer")], ids=["empty", "failed"])
async def test_the_last_targets_serve_while_no_answer_comes(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, says: NameAnswer | OSError
) -> None:
    caplog.set_level(logging.INFO, "veneer.upstream.following")
    async with running_origin(saying("one")) as one:
        dns = Dns()
        dns.leads_to(one)
        async with followed(dns, clock) as bench:
            assert await bench.ask() == b"one"
            dns.says = says
            for _ in range(3):
                await bench.look()
            assert await bench.ask() == b"one"
            dns.leads_to(one)
            await until(lambda: sum("leads to" in line for line in caplog.messages) == 2)
    assert sum("its last targets are used" in line for line in caplog.messages) == 1


async def test_a_request_waits_for_the_first_answer_but_not_for_ever(clock: ManualClock) -> None:
    async with running_origin(saying("one")) as one:
        dns = Dns(OSError("not yet"))
        async with followed(dns, clock) as bench:
            asking = asyncio.ensure_future(bench.ask())  # noqa: TID251
            await bench.look()
            assert not asking.done()
            assert bench.targets.lease_now(clock.monotonic()) is None
            dns.leads_to(one)
            assert await asking == b"one"
        async with followed(Dns(OSError("never")), clock, patience_s=0.01) as bench:
            with pytest.raises(UpstreamError, match="leads nowhere") as caught:
                await bench.ask()
            assert (caught.value.failure, caught.value.sent) == (UpstreamFailure.CONNECT_TIMEOUT, False)


async def test_targets_that_are_there_for_good_stand_beside(clock: ManualClock) -> None:
    async with running_origin(saying("one")) as one, running_origin(saying("two")) as two:
        dns = Dns(OSError("never"))
        async with followed(dns, clock, one) as bench:
            assert await bench.ask() == b"one"
            dns.leads_to(two)
            await until(lambda: len(bench.targets.targets) == 2)


async def test_a_long_answer_is_cut_always_alike(clock: ManualClock) -> None:
    dns = Dns(NameAnswer([Destination("192.0.2.1", port, 1) for port in range(1, MOST_TARGETS + 9)]))
    async with followed(dns, clock) as bench:
        await until(lambda: bool(bench.name.targets))
        kept = bench.name.targets
        assert len(kept) == MOST_TARGETS
        assert isinstance(dns.says, NameAnswer)
        dns.says.places.reverse()
        await bench.look()
        await bench.look()
        assert bench.name.targets == kept


async def test_a_new_weight_or_rank_counts_for_a_target_that_stays(clock: ManualClock) -> None:
    async with running_origin(saying("one")) as one, running_origin(saying("two")) as two:
        dns = Dns(NameAnswer([place_of(one), place_of(two)]))
        async with followed(dns, clock) as bench:
            await until(lambda: bool(bench.name.targets))
            before = {target.load.share for target in bench.name.targets}
            dns.says = NameAnswer([place_of(one, weight=3), place_of(two, rank=1)])
            await until(lambda: {target.load.weight for target in bench.name.targets} == {1, 3})
            assert before == {1.0}
            assert {target.load.share for target in bench.targets.targets} == {1.5, 0.5}
            assert {await bench.ask() for _ in range(5)} == {b"one"}


async def test_a_lifetime_counts_where_it_is_shorter_than_the_interval(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0 if len(slept) < 3 else 100)

    def make(place: Destination) -> UpstreamTarget:
        return UpstreamTarget(UpstreamPool(PoolSettings(Endpoint(place.at, place.port)), clock, tasks))

    dns = Dns(NameAnswer([Destination("192.0.2.1", 1, 1)], 30.0))
    tasks = Tasks()
    monkeypatch.setattr("veneer.upstream.following.asyncio.sleep", sleep)
    name = FollowedName("app", dns, make)
    targets = FollowedTargets([name], SetRules("app"), 5.0, clock, tasks)
    for ttl_s in (3.0, 0.0):
        while len(slept) < (1 if ttl_s else 2):
            await real(0)
        dns.says = NameAnswer([Destination("192.0.2.1", 1, 1)], ttl_s)
    while len(slept) < 3:
        await real(0)
    await targets.aclose()
    assert slept == [5.0, 3.0, LEAST_S]


async def test_a_service_is_opened_as_its_records_say(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = Tasks()
    async with running_origin(saying("one")) as one, running_name_server(monkeypatch) as server:
        server.services["_http._tcp.app.test"] = [f"0 1 {place_of(one).port} localhost."]
        target = TargetSettings("http://_http._tcp.app.test", resolve=Resolve.SRV)
        settings = UpstreamSettings("app", target.url, targets=(target,), preserve_host=False)
        upstream = open_upstream(settings, clock, tasks)
        response = await upstream.exchange(request(), None)
        await response.aclose()
        assert b"\r\nHost: app.test:" in one.heads[0]
        found = targets_of(upstream)
        assert found is not None
        assert [str(target) for target in found.targets] == [f"localhost:{place_of(one).port}"]
        await upstream.aclose()
    await tasks.aclose()


async def test_a_name_is_opened_with_a_target_for_each_address(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Names.__init__, "__defaults__", (lambda _: ["192.0.2.1", "2001:db8::1"],))
    tasks = Tasks()
    target = TargetSettings("http://app.test:81", weight=3, resolve=Resolve.ALL)
    upstream = open_upstream(UpstreamSettings("app", target.url, targets=(target,)), clock, tasks)
    found = targets_of(upstream)
    assert found is not None
    await until(lambda: bool(found.targets))
    assert [str(target) for target in found.targets] == ["192.0.2.1:81", "[2001:db8::1]:81"]
    assert {target.load.weight for target in found.targets} == {3}
    await upstream.aclose()
    await tasks.aclose()
