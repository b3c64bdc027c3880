"""Several targets over real sockets: choice, retries, ejection, trials, drain, and the leases of the fast path."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.support.clock import ManualClock
from tests.support.origin import Origin, OriginConnection, Script, answering, read_body, running_origin
from tests.unit.veneer.upstream.conftest import pieces, request
from veneer.core.affinity import AffinityKind, AffinityRules
from veneer.core.balancing import EjectionRules
from veneer.core.messages import ResponseHead
from veneer.core.overload import Claim
from veneer.core.retry_budget import RetryWrites
from veneer.loop.tasks import Tasks
from veneer.policy.model import BreakerRules, HealthRules, UpstreamSettings
from veneer.policy.model_targets import RetryRules, TargetSettings
from veneer.ports import Demand, FirstBytesHandler, OutgoingSpans, UpstreamError, UpstreamFailure
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.open import open_upstream, targets_of
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings
from veneer.upstream.target import SetRules, UpstreamTarget
from veneer.upstream.targets import LOOK_EVERY_S, TargetSet

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NO_WAIT = RetryRules(refused_s=0.0)
AWAY = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"


async def hang_up(connection: OriginConnection) -> None:
    await read_body(connection, await connection.request_head())


async def silent(connection: OriginConnection) -> None:
    await connection.request_head()
    await connection.closed_by_peer()


@dataclass
class Several:
    targets: TargetSet
    origins: list[Origin]
    clock: ManualClock
    first: list[int]
    """Which targets are to be chosen next, of those that may be."""

    def heads(self) -> list[int]:
        return [len(origin.heads) for origin in self.origins]

    async def statuses(self, count: int, method: str = "GET") -> list[int]:
        found = []
        for _ in range(count):
            response = await self.targets.exchange(request(method), None)
            found.append(response.head.status)
            await response.aclose()
        return found


@contextlib.asynccontextmanager
async def several(
    *scripts: Script | None,
    ejection: EjectionRules | None = None,
    retries: RetryRules | None = None,
    drained: Sequence[int] = (),
    health: HealthRules | None = None,
    read_timeout_s: float = 60.0,
    spans: OutgoingSpans | None = None,
    affinity: AffinityRules | None = None,
) -> AsyncIterator[Several]:
    """Targets that run the scripts; None is one that takes no connections."""
    clock, tasks = ManualClock(), Tasks()
    first: list[int] = []
    async with contextlib.AsyncExitStack() as running:
        origins, targets = [], []
        for index, script in enumerate(scripts):
            if script is None:
                # Bound and not listening: a port that was given back may be another process's a moment later.
                taken = running.enter_context(contextlib.closing(socket.socket()))
                taken.bind(("127.0.0.1", 0))
                origin = Origin(f"http://127.0.0.1:{taken.getsockname()[1]}")
            else:
                origin = await running.enter_async_context(running_origin(script))
            origins.append(origin)
            refused_s = (retries or NO_WAIT).refused_s
            settings = PoolSettings(
                Endpoint.parse(origin.url), read_timeout_s=read_timeout_s, refused_s=refused_s, spans=spans
            )
            pool = UpstreamPool(settings, clock, tasks)
            check = None if health is None else CheckedPool(pool, health)
            targets.append(UpstreamTarget(pool, check, index in drained))
        rules = SetRules("several", ejection or EjectionRules(), retries or NO_WAIT, affinity=affinity)

        def chance() -> float:
            """One number for the first choice, one for the second; the same is chosen twice by all but equal loads."""
            return first.pop(0) / len(targets) if first else 0.0

        made = TargetSet(targets, rules, clock, tasks, chance)
        yield Several(made, origins, clock, first)
        await made.aclose()
        await asyncio.sleep(0.01)
        assert all(target.load.in_flight == 0 for target in targets)
        assert all(target.pool.open_connections == 0 for target in targets)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never became true")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_was_refused_goes_to_the_next_target(method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "veneer.upstream.targets")
    async with several(None, answering(HELLO)) as bench:
        asked = request(method, "/", ("X-Request-ID", "id-1"))
        response = await bench.targets.exchange(asked, pieces(b"abc") if method == "POST" else None)
        await response.aclose()
        assert response.head.status == 200
        assert bench.targets.counts.retries == 1
        assert bench.heads() == [0, 1]
    assert "id-1 to several is tried again, attempt 2; 127.0.0.1:" in caplog.text


async def test_a_safe_request_that_was_not_answered_goes_to_the_next_target() -> None:
    async with several(hang_up, answering(HELLO)) as bench:
        assert await bench.statuses(1) == [200]
        assert bench.heads() == [1, 1]


async def test_a_write_that_may_have_arrived_is_not_sent_twice() -> None:
    async with several(hang_up, answering(HELLO)) as bench:
        with pytest.raises(UpstreamError) as caught:
            await bench.targets.exchange(request("POST"), b"abc")
        assert (caught.value.failure, caught.value.sent) == (UpstreamFailure.RESET, True)
        assert bench.heads() == [1, 0]


WRITES = Claim(retry_writes=RetryWrites.ALWAYS)


async def test_a_write_that_may_be_repeated_goes_to_the_next_target() -> None:
    async with several(hang_up, answering(HELLO)) as bench:
        response = await bench.targets.exchange(request("POST"), b"", demand=Demand(WRITES))
        await response.aclose()
        assert response.head.status == 200
        assert bench.heads() == [1, 1]


async def test_a_write_that_was_given_up_may_be_done_late_and_is_not_repeated() -> None:
    async with several(silent, answering(HELLO), read_timeout_s=0.1) as bench:
        with pytest.raises(UpstreamError) as caught:
            await bench.targets.exchange(request("POST"), b"", demand=Demand(WRITES))
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
        assert bench.heads() == [1, 0]


async def test_what_was_passed_on_to_the_client_is_not_begun_again() -> None:
    async def hints(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    seen: list[int] = []

    def relay(head: ResponseHead) -> None:
        seen.append(head.status)

    async with several(hints, answering(HELLO)) as bench:
        with pytest.raises(UpstreamError):
            await bench.targets.exchange(request(), None, relay)
        assert seen == [103]
        assert bench.heads() == [1, 0]


async def test_nothing_is_tried_again_beyond_the_budget_or_for_nobody() -> None:
    async with several(hang_up, hang_up, retries=RetryRules(0.0, share=0.0, per_second=1)) as bench:
        for _ in range(2):
            with pytest.raises(UpstreamError):
                await bench.targets.exchange(request(), None)
        assert sum(bench.heads()) == 3
        assert (bench.targets.counts.retries, bench.targets.counts.over_budget) == (1, 1)
        bench.clock.advance(5.0)
        gone = Demand()
        gone.asker_left()
        with pytest.raises(UpstreamError):
            await bench.targets.exchange(request(), None, demand=gone)
        assert bench.targets.counts.retries == 1


async def test_a_target_that_fails_is_ejected_and_comes_back_after_a_trial() -> None:
    broken = True

    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            if broken:
                return
            await connection.send(HELLO)

    rules = EjectionRules(failures=2, base_s=5.0)
    async with several(script, answering(HELLO), ejection=rules, retries=RetryRules(0.0, per_second=100)) as bench:
        bad = bench.targets.targets[0]
        for _ in range(2):
            await bench.statuses(1)
            bench.clock.advance(1_000.0)  # its latency is forgotten, and it is as good as the other
        assert (bad.state, bench.targets.counts.ejections) == ("ejected", 1)
        asked = bench.heads()[0]
        assert await bench.statuses(1) == [200]
        await until(lambda: not bad.on_trial)
        assert [head.split(b" HTTP")[0] for head in bench.origins[0].heads[asked:]] == [b"OPTIONS /"]
        assert bad.state == "ejected"
        await bench.statuses(3)
        assert bench.heads()[0] == asked + 1, "nothing goes there meanwhile"
        broken = False
        bench.clock.advance(10.0)
        await bench.statuses(1)
        await until(lambda: bad.state == "up")


async def test_statuses_of_a_target_that_cannot_serve_count_as_failures() -> None:
    async with several(answering(AWAY), answering(HELLO), ejection=EjectionRules(failures=1)) as bench:
        assert await bench.statuses(1) == [503], "it is passed on: the backend has answered"
        assert bench.targets.targets[0].state == "ejected"
        assert await bench.statuses(3) == [200] * 3


BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy"


async def test_what_a_busy_target_does_not_do_another_does_and_it_is_left_alone() -> None:
    async with several(answering(BUSY), answering(HELLO)) as bench:
        busy = bench.targets.targets[0]
        assert await bench.statuses(1) == [200]
        assert (busy.state, bench.targets.counts.retries, bench.targets.counts.ejections) == ("resting", 1, 0)
        assert await bench.statuses(5) == [200] * 5
        assert bench.heads() == [1, 6]
        bench.clock.advance(2.0)
        assert await bench.statuses(1) == [200]
        assert busy.state == "up"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_where_all_are_busy_or_it_is_no_safe_request_the_answer_is_passed_on(method: str) -> None:
    async with several(answering(BUSY), answering(BUSY if method == "GET" else HELLO)) as bench:
        response = await bench.targets.exchange(request(method), None if method == "GET" else b"")
        assert response.head.status == 503
        assert [piece async for piece in response.body()] == [b"busy"]
        assert [target.state for target in bench.targets.targets] == ["up", "up"]
        assert bench.heads() == [1, 1 if method == "GET" else 0]


async def test_where_no_other_can_be_asked_the_answer_of_the_busy_one_is_passed_on() -> None:
    async with several(answering(BUSY), None) as bench:
        assert await bench.statuses(1) == [503]
        assert bench.targets.counts.retries == 1


def hanging(hangs: list[bool]) -> Script:
    async def script(connection: OriginConnection) -> None:
        while True:
            await connection.request_head()
            if hangs[0]:
                await asyncio.sleep(60)
            await connection.send(HELLO)

    return script


async def learned(bench: Several) -> None:
    """Let it be known how long requests take."""
    bench.first += [0, 0, 1, 0] * 10
    assert await bench.statuses(20) == [200] * 20
    assert bench.heads() == [10, 10]
    bench.clock.advance(0.1)


async def later(bench: Several, seconds: float) -> None:
    """Let time pass, during which the process did not stand still."""
    for _ in range(int(seconds / 0.1)):
        bench.clock.advance(0.1)
        await asyncio.sleep(LOOK_EVERY_S * 1.2)


async def test_what_a_target_that_hangs_owes_is_asked_of_another_and_it_is_ejected() -> None:
    hangs = [False]
    async with several(hanging(hangs), answering(HELLO), retries=RetryRules(0.0, per_second=100)) as bench:
        await learned(bench)
        hangs[0] = True
        bad = bench.targets.targets[0].load
        async with asyncio.TaskGroup() as group:
            bench.first += [0, 0]
            lone = group.create_task(bench.statuses(1))
            await until(lambda: bad.in_flight == 1)
            bench.clock.advance(0.1)
            assert await bench.statuses(1) == [200], "it is silent, and looks slow"
            await later(bench, 0.4)
            canaries = [group.create_task(bench.statuses(1)) for _ in range(3)]
            await until(lambda: bad.in_flight == 4)
            assert await bench.statuses(3) == [200] * 3
            await later(bench, 0.5)
            assert [await canary for canary in canaries] == [[200]] * 3
            await later(bench, 0.3)
            assert await lone == [200]
        assert (bench.targets.targets[0].state, bench.targets.counts.ejections) == ("ejected", 1)
        assert bench.targets.counts.retries == 4


async def test_those_who_all_wait_for_the_one_that_hangs_ask_another() -> None:
    """Though the other has not been heard since: nobody has asked it."""
    hangs = [False]
    async with several(hanging(hangs), answering(HELLO), retries=RetryRules(0.0, per_second=100)) as bench:
        await learned(bench)
        hangs[0] = True
        bad, other = bench.targets.targets
        for _ in range(20):
            other.load.succeeded(bench.clock.monotonic(), 5.0)  # the machine stood still while it answered
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(bench.statuses(1)) for _ in range(4)]
            await until(lambda: bad.load.in_flight == 4)
            await later(bench, 1.2)
            assert [await asked for asked in asking] == [[200]] * 4
        assert bad.state == "ejected"


async def test_it_is_so_as_well_after_another_policy_is_in_force() -> None:
    hangs = [False]
    async with several(hanging(hangs), answering(HELLO), retries=RetryRules(0.0, per_second=100)) as bench:
        await learned(bench)
        hangs[0] = True
        bench.first += [0, 0]
        async with asyncio.TaskGroup() as group:
            lone = group.create_task(bench.statuses(1))
            await until(lambda: bench.targets.targets[0].load.in_flight == 1)
            bench.clock.advance(0.1)
            assert await bench.statuses(1) == [200]
            await bench.targets.aclose()
            await later(bench, 1.2)
            assert lone.done()
        assert lone.result() == [200]


@pytest.mark.parametrize(("method", "per_second"), [("GET", 0), ("POST", 100)])
async def test_neither_writes_nor_what_is_beyond_the_budget_is_asked_of_others(method: str, per_second: int) -> None:
    hangs = [False]
    rules = RetryRules(0.0, share=0.0, per_second=per_second)
    async with several(hanging(hangs), answering(HELLO), retries=rules, read_timeout_s=0.8) as bench:
        await learned(bench)
        hangs[0] = True
        bench.first += [0, 0]
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(failure_of(bench, method))
            await until(lambda: bench.targets.targets[0].load.in_flight == 1)
            bench.clock.advance(0.1)
            assert await bench.statuses(1) == [200]
            await later(bench, 1.5)
        assert asking.result() is UpstreamFailure.READ_TIMEOUT
        assert (bench.targets.counts.retries, bench.targets.counts.over_budget) == (0, 1 if method == "GET" else 0)


async def test_where_all_fail_requests_go_nevertheless() -> None:
    async with several(hang_up, hang_up, ejection=EjectionRules(failures=1)) as bench:
        for _ in range(5):
            with pytest.raises(UpstreamError):
                await bench.targets.exchange(request("POST"), b"")
        assert sum(bench.heads()) == 5
        assert sorted(target.state for target in bench.targets.targets) == ["ejected", "up"]


async def test_a_drained_target_and_one_that_its_checks_find_down_get_nothing() -> None:
    scripts = [answering(HELLO)] * 3
    async with several(*scripts, drained=[0], health=HealthRules("/up", unhealthy_after=1)) as bench:
        down = bench.targets.targets[1].check
        assert down is not None
        down.note(good=False)
        assert await bench.statuses(4) == [200] * 4
        assert bench.heads() == [0, 0, 4]
        assert [target.state for target in bench.targets.targets] == ["draining", "down", "up"]
        for _ in range(2):
            down.note(good=True)
        await bench.statuses(1)
        assert bench.targets.targets[1].load.back_s == bench.clock.monotonic(), "it begins slowly"


async def test_a_target_that_refuses_is_waited_for_only_where_no_other_takes_connections() -> None:
    async with several(None, None, retries=RetryRules(refused_s=1.0)) as bench, asyncio.TaskGroup() as group:
        one, other = (target.pool.redialler for target in bench.targets.targets)
        assert (one.patience_s, other.patience_s) == (0.0, 0.0)
        asking = group.create_task(failure_of(bench))
        await until(lambda: other.attempts > 1)
        assert one.attempts == 0
        bench.clock.advance(1.0)
        assert await asking is UpstreamFailure.CONNECT
        assert (one.patience_s, other.patience_s) == (1.0, 1.0)
    async with several(None, answering(HELLO), retries=RetryRules(refused_s=1.0), drained=[1]) as bench:
        assert bench.targets.targets[0].pool.redialler.patience_s == 1.0, "it is the only one"


async def failure_of(bench: Several, method: str = "GET") -> UpstreamFailure:
    with pytest.raises(UpstreamError) as caught:
        await bench.targets.exchange(request(method), None)
    return caught.value.failure


class Whole(FirstBytesHandler):
    """Takes a whole response, or leaves it."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.ended = asyncio.Event()

    def take(self, raw: bytes) -> bool:
        if self.takes:
            self.ended.set()
        return self.takes

    def pass_on(self) -> None:
        self.ended.set()

    def interim(self, head: ResponseHead) -> None:
        raise AssertionError(head)


def ignore(head: ResponseHead) -> None:
    """Interim responses go nowhere."""


@pytest.mark.parametrize("takes", [True, False])
async def test_leases_are_counted_as_exchanges_are(takes: bool) -> None:
    async with several(answering(HELLO), answering(HELLO)) as bench:
        targets = bench.targets
        assert targets.lease_now(bench.clock.monotonic()) is None, "nothing is open yet"
        await bench.statuses(1)
        lease = targets.lease_now(bench.clock.monotonic())
        assert lease is not None
        first = Whole(takes=takes)
        lease.send(targets.head_bytes(request()), first, None)
        assert [target.load.in_flight for target in targets.targets] == [1, 0]
        await first.ended.wait()
        if not takes:
            await (await lease.response(ignore)).aclose()
        assert targets.targets[0].load.good == 2
        given = targets.lease_now(bench.clock.monotonic())
        assert given is not None
        given.give_back()


async def test_a_lease_whose_target_fails_goes_on_at_another_if_it_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "veneer.upstream.targets")

    async def once(connection: OriginConnection) -> None:
        await connection.request_head()
        if connection.number == 0:
            await connection.send(HELLO)
            await connection.request_head()

    for may_repeat in (True, False):
        async with several(once, answering(HELLO)) as bench:
            await bench.statuses(1)
            lease = bench.targets.lease_now(bench.clock.monotonic())
            assert lease is not None
            first = Whole(takes=True)
            head = bench.targets.head_bytes(request("GET", "/", ("X-Request-ID", "id-2")))
            lease.send(head, first, None, may_repeat=may_repeat)
            await first.ended.wait()
            if may_repeat:
                response = await lease.response(ignore)
                await response.aclose()
                assert response.head.status == 200
                assert bench.heads() == [3, 1], "once more there, and then at the other"
                assert "id-2 to several is tried again, attempt 2" in caplog.text
            else:
                with pytest.raises(UpstreamError):
                    await lease.response(ignore)
                assert bench.heads() == [2, 0]


BY_USER = AffinityRules(AffinityKind.HEADER, "x-user", 1.5)


async def test_a_client_has_a_target_of_its_own_and_another_while_that_is_out() -> None:
    async with several(answering(HELLO), answering(HELLO), answering(HELLO), affinity=BY_USER) as bench:
        targets = bench.targets

        async def ask(user: str) -> str:
            response = await targets.exchange(request("GET", "/", ("X-User", user)), None)
            await response.aclose()
            assert response.sent_to is not None
            return response.sent_to.target

        own = {user: await ask(user) for user in map(str, range(40))}
        assert set(own.values()) == {target.label for target in targets.targets}
        assert {user: await ask(user) for user in own} == own
        assert targets.lease_now(bench.clock.monotonic()) is None, "it is not known yet whose request it is"
        out = targets.targets[0]
        out.load.ejected_until = bench.clock.monotonic() + 10
        for user, target in own.items():
            assert (await ask(user) == target) == (target != out.label)
        out.load.ejected_until = None
        assert {user: await ask(user) for user in own} == own


async def test_who_has_no_key_goes_where_the_load_is_least() -> None:
    async with several(answering(HELLO), answering(HELLO), affinity=BY_USER) as bench:
        bench.first += [0, 0, 1, 1]
        assert await bench.statuses(2) == [200] * 2
        assert bench.heads() == [1, 1]


async def test_what_fails_at_a_client_s_own_target_goes_to_another() -> None:
    async with several(hang_up, answering(HELLO), affinity=BY_USER) as bench:
        for user in range(20):
            response = await bench.targets.exchange(request("GET", "/", ("X-User", str(user))), None)
            await response.aclose()
            assert response.head.status == 200
        assert bench.heads()[0] >= 1


async def test_the_policy_decides_how_many_there_are() -> None:
    clock, tasks = ManualClock(), Tasks()
    one = open_upstream(UpstreamSettings("one", "http://127.0.0.1:1"), clock, tasks)
    assert isinstance(one, UpstreamPool), "one target costs nothing"
    assert targets_of(one) is None
    urls = (TargetSettings("http://127.0.0.1:1"), TargetSettings("http://127.0.0.1:2", drain=True))
    settings = UpstreamSettings("two", urls[0].url, targets=urls, breaker=BreakerRules(), preserve_host=False)
    two = open_upstream(settings, clock, tasks)
    found = targets_of(two)
    assert isinstance(two, BreakerGuard)
    assert found is not None
    drained = {str(target): target.drained for target in found.targets}
    assert drained == {"127.0.0.1:1": False, "127.0.0.1:2": True}
    assert found.lease_now(clock.monotonic()) is None, "their heads differ"
    for upstream in (one, two):
        await upstream.aclose()
