"""How Redis stands: the table, its drawing, one line for each change, and the time in each state."""

from __future__ import annotations

import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.support.clock import ManualClock
from tests.support.diagrams import drawn, state_diagram
from veneer.redis.states import CALM_S, TRANSITIONS, RedisState, RedisStates, Seen

OOM = ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
READ_ONLY = ResponseError("READONLY You can't write against a read only replica.")
NOAUTH = ResponseError("NOAUTH Authentication required.")
LOST = RedisConnectionError("gone")
LATE = TimeoutError("Redis has not answered in time")
S = RedisState


class Told:
    """The states with a clock, and the lines they have written."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self._caplog = caplog
        self.clock = ManualClock()
        self.states = RedisStates(self.clock.monotonic, slow_s=0.25)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records]

    def state(self) -> RedisState:
        return self.states.state


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    return Told(caplog)


def test_the_page_draws_the_table() -> None:
    assert drawn("architecture.md", "The states of Redis") == state_diagram(S.REACHABLE, TRANSITIONS)


def test_the_table_knows_a_way_out_of_each_state_and_into_it() -> None:
    assert set(TRANSITIONS) == set(S)
    for state, row in TRANSITIONS.items():
        assert any(to is state for other in TRANSITIONS.values() if other is not row for to in other.values())
        if state is not S.REACHABLE:
            assert S.REACHABLE in row.values()
        for trouble, to in ((Seen.NO_ROOM, S.FULL), (Seen.LOST, S.GONE), (Seen.REFUSAL, S.REFUSED)):
            assert row[trouble] is to


def test_renewals_tell_what_a_call_takes(told: Told) -> None:
    told.states.renewed(0.002)
    told.states.renewed(0.3)
    assert (sum(told.states.round_trips.counts), told.states.round_trips.sum_ms) == (2, 302.0)


@pytest.mark.parametrize(
    ("error", "state"),
    [(OOM, S.FULL), (READ_ONLY, S.READ_ONLY), (NOAUTH, S.REFUSED), (LOST, S.GONE), (LATE, S.SLOW)],
)
def test_a_failure_is_told_once_by_its_name(told: Told, error: Exception, state: RedisState) -> None:
    for _ in range(3):
        told.states.met(error)
    assert told.state() is state
    (line,) = told.lines
    assert line.endswith(str(error))


def test_a_full_redis_that_goes_on_renewing_and_answering_is_full_until_something_is_stored(told: Told) -> None:
    for _ in range(100):
        told.states.met(OOM)
        told.states.renewed(0.001)
        told.states.answered()
        told.clock.advance(0.1)
    assert (told.state(), len(told.lines)) == (S.FULL, 1)
    told.states.stored()
    assert told.state() is S.REACHABLE
    assert told.lines[-1] == "Redis works again"


def test_what_comes_back_at_once_has_not_ended_before_it_stays_away(told: Told) -> None:
    for _ in range(1000):
        told.states.met(OOM)
        told.states.stored()
        told.clock.advance(0.01)
    assert len(told.lines) == 3, "full, works again, full"
    told.clock.advance(CALM_S)
    told.states.stored()
    assert told.lines[-1] == "Redis works again"


def test_who_may_not_do_one_thing_is_refused_until_nothing_was_refused_for_a_while(told: Told) -> None:
    for _ in range(50):
        told.states.met(NOAUTH)
        told.states.renewed(0.001)
        told.clock.advance(1)
    assert (told.state(), len(told.lines)) == (S.REFUSED, 1)
    told.clock.advance(CALM_S)
    told.states.answered()
    assert told.state() is S.REACHABLE


def test_a_slow_redis_is_asked_again_once_a_renewal_was_in_time(told: Told) -> None:
    told.states.renewed(0.001)
    told.states.met(LATE)
    asked = [told.states.answers_soon]
    told.states.answered()
    told.states.stored()
    asked.append(told.states.answers_soon)
    told.states.renewed(0.2)
    asked.append(told.states.answers_soon)
    assert asked == [False, False, True], "one that has just been in time tells little"


def test_late_renewals_make_it_slow_but_not_a_single_one(told: Told) -> None:
    told.states.renewed(0.7)
    told.states.renewed(0.1)
    told.states.renewed(0.7)
    assert told.state() is S.REACHABLE
    told.states.renewed(0.7)
    assert told.state() is S.SLOW
    told.states.met(TimeoutError(), renewing=True)
    assert told.state() is S.GONE
    told.states.met(LATE)
    assert told.state() is S.GONE, "a call given up late tells nothing new"
    told.clock.advance(CALM_S)
    told.states.renewed(0.7)
    assert told.state() is S.SLOW
    assert len(told.lines) == 3


def test_without_renewals_somebody_has_to_ask(told: Told) -> None:
    told.states.met(LOST)
    assert told.states.answers_soon


def test_the_time_in_each_state_adds_up(told: Told) -> None:
    told.clock.advance(3)
    told.states.met(LOST)
    told.clock.advance(4)
    told.states.renewed(0.001)
    told.clock.advance(5)
    seconds = told.states.seconds()
    assert (seconds[S.REACHABLE], seconds[S.GONE], sum(seconds.values())) == (8, 4, 12)
