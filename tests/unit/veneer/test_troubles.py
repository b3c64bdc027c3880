"""What is wrong with Redis: by its right name, and once for each state."""

from __future__ import annotations

import logging

import pytest
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)

from tests.support.clock import ManualClock
from veneer.redis.wire import refusal
from veneer.troubles import CALM_S, Trouble, Troubles, trouble_of

FULL = ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
GONE = RedisConnectionError("gone")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (FULL, Trouble.FULL),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Trouble.FULL),
        (refusal("ERR Error running script (call to f_1): @user_script:4: @user_script: 4: -OOM no"), Trouble.FULL),
        (refusal("READONLY You can't write against a read only replica."), Trouble.READ_ONLY),
        (RedisConnectionError("READONLY You can't write against a read only replica."), Trouble.READ_ONLY),
        (ReadOnlyError("You can't write against a read only replica."), Trouble.READ_ONLY),
        (refusal("NOPERM this user has no permissions to run the 'evalsha' command"), Trouble.FORBIDDEN),
        (NoPermissionError("this user has no permissions"), Trouble.FORBIDDEN),
        (
            refusal("ERR Error running script (call to f_1): @user_script:1: The user executing the script can't run"),
            Trouble.FORBIDDEN,
        ),
        (refusal("ERR ACL failure in script: User u has no permissions to run the 'hset' command"), Trouble.FORBIDDEN),
        (refusal("NOAUTH Authentication required."), Trouble.STRANGER),
        (refusal("WRONGPASS invalid username-password pair"), Trouble.STRANGER),
        (refusal("ERR Protocol error: unauthenticated multibulk length"), Trouble.STRANGER),
        (AuthenticationError("Authentication required."), Trouble.STRANGER),
        (refusal("LOADING Redis is loading the dataset in memory"), Trouble.UNREADY),
        (RedisConnectionError("CLUSTERDOWN The cluster is down"), Trouble.UNREADY),
        (refusal("WRONGTYPE Operation against a key"), Trouble.REFUSES),
        (GONE, Trouble.AWAY),
        (TimeoutError(), Trouble.AWAY),
        (OSError("no route"), Trouble.AWAY),
        (InvalidResponse("garbled"), Trouble.AWAY),
    ],
)
def test_each_failure_has_its_name(error: BaseException, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


class Told:
    """Troubles with a clock, and the lines they have written."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.caplog = caplog
        self.clock = ManualClock()
        self.troubles = Troubles(logging.getLogger("t"), self.clock.monotonic, "the store", "nothing is stored")

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    return Told(caplog)


def test_a_state_is_told_once_and_so_is_its_end(told: Told) -> None:
    for _ in range(100):
        told.troubles.met(FULL)
    assert str(told.troubles.present) == "Trouble.FULL"
    for _ in range(100):
        told.troubles.over("at 7")
    assert told.troubles.present is None
    assert told.lines == [
        f"the store: Redis {Trouble.FULL.value}; nothing is stored: {FULL}",
        "the store: Redis works again; at 7",
    ]


def test_another_state_is_told(told: Told) -> None:
    for error in (FULL, GONE, GONE, FULL):
        told.troubles.met(error)
    assert [line.partition(";")[0] for line in told.lines] == [
        f"the store: Redis {trouble.value}" for trouble in (Trouble.FULL, Trouble.AWAY, Trouble.FULL)
    ]


def test_what_comes_and_goes_is_over_when_it_has_stayed_away(told: Told) -> None:
    for _ in range(1000):
        told.troubles.met(FULL)
        told.clock.advance(0.01)
        told.troubles.over()
    assert len(told.lines) == 3, "begun, over, begun again"
    assert "nothing is stored" in told.lines[-1]
    told.clock.advance(CALM_S)
    told.troubles.over()
    assert told.lines[3:] == ["the store: Redis works again"]
    told.clock.advance(CALM_S)
    told.troubles.met(FULL)
    told.troubles.over()
    assert len(told.lines) == 6


def test_nothing_is_over_that_has_not_begun(told: Told) -> None:
    told.troubles.over()
    assert told.lines == []
