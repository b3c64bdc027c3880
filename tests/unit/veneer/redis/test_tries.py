"""Whether one use of Redis is tried: it rests after failures, one call tries for all, and the others learn of it."""

from __future__ import annotations

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.support.clock import ManualClock
from veneer.redis.states import RedisState, RedisStates
from veneer.redis.tries import RedisTries
from veneer.redis.troubles import Trouble

LOST = RedisConnectionError("gone")
OOM = ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
LATE = TimeoutError("Redis has not answered in time")


class Bench:
    """Two kinds of calls, of which two failures in a row are too many."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.worked: list[str] = []
        self.states = RedisStates(self.clock.monotonic, slow_s=0.25)
        self.reading = RedisTries(self.states, lambda: self.worked.append("read"), 2, 1.0)
        self.writing = RedisTries(self.states, lambda: self.worked.append("written"), 2, 1.0, waits=False)

    def fail(self, tries: RedisTries, error: Exception, *beside: RedisTries) -> Trouble:
        tries.begin()
        return tries.failed(error, self.clock.monotonic(), *beside)

    def admitted(self) -> tuple[bool, bool]:
        now_s = self.clock.monotonic()
        return self.reading.admits(now_s), self.writing.admits(now_s)


def test_after_failures_in_a_row_it_rests_and_then_one_call_tries_for_all() -> None:
    bench = Bench()
    assert bench.fail(bench.writing, OOM) is Trouble.FULL
    bench.writing.succeeded()
    assert bench.fail(bench.writing, OOM) is Trouble.FULL
    assert bench.admitted() == (True, True), "a success between counts them anew"
    bench.fail(bench.writing, OOM)
    assert (bench.admitted(), bench.writing.works, bench.reading.works) == ((True, False), False, True)
    bench.clock.advance(1.0)
    assert bench.admitted() == (True, True)
    bench.writing.begin()
    assert bench.admitted() == (True, False), "one at a time"
    bench.writing.succeeded()
    assert (bench.admitted(), bench.worked) == ((True, True), ["written", "written"])


def test_where_redis_cannot_be_reached_the_other_kind_has_as_good_as_tried() -> None:
    bench = Bench()
    for _ in range(2):
        assert bench.fail(bench.reading, LOST, bench.writing) is Trouble.AWAY
    assert bench.admitted() == (False, False)
    bench.clock.advance(1.0)
    bench.writing.begin()
    bench.fail(bench.reading, LOST, bench.writing)
    assert bench.admitted() == (False, False)
    bench.writing.succeeded()
    assert bench.admitted() == (False, True), "its own try told it otherwise"


def test_who_waits_does_not_ask_a_redis_that_is_known_to_be_slow() -> None:
    bench = Bench()
    bench.states.renewed(0.1)
    bench.fail(bench.reading, LATE)
    assert bench.states.state is RedisState.SLOW
    assert (bench.admitted(), bench.reading.works, bench.writing.works) == ((False, True), False, True)
    bench.states.renewed(0.1)
    assert (bench.admitted(), bench.reading.works) == ((True, True), True)
