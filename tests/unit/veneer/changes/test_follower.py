"""What a follower tells the log, the source and the other nodes, and in which order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.change_source import PlayedSource
from tests.support.shared_log import until
from veneer.changes.follower import MOST_PENDING, MOST_TAGS, Follower, FollowerSettings, FollowerState
from veneer.core.invalidation import Invalidation
from veneer.loop.clock import SystemClock
from veneer.ports import AsOf, Beat, Committed, SourceClaim, SourceError, SourceMoment, SourceTold, StreamOrigin

SETTINGS = FollowerSettings(max_lag_s=1.0, claim_s=0.5, stand_by_s=0.01, retry_s=0.01, longest_retry_s=0.05)


class Log:
    """A SourceLog whose placing a test decides."""

    def __init__(self) -> None:
        self.reader, self.clock, self.now_ms = "me", "epoch", 1_000
        self.away = False
        self.placed: list[Invalidation] = []
        self.waiting: list[Callable[[], None]] = []
        self.holds = False
        self.moments: list[SourceMoment] = []
        self.known: SourceMoment | None = SourceMoment("epoch", 1, "0/1")
        self.claims = self.released = 0

    async def claim(self, source: str, as_of: SourceMoment | None = None) -> SourceClaim:
        await asyncio.sleep(0)
        self.claims += 1
        if self.away:
            raise ConnectionError("gone")
        if as_of is not None:
            self.moments.append(as_of)
        self.now_ms += 1
        return SourceClaim(self.reader == "me", self.reader, self.clock, self.now_ms, self.known)

    async def release(self, source: str) -> None:
        self.released += 1

    def place_soon(self, invalidation: Invalidation, on_placed: Callable[[], None]) -> None:
        self.placed.append(invalidation)
        self.waiting.append(on_placed)
        if not self.holds:
            self.go_on()

    def go_on(self) -> None:
        """What was put into the log is there."""
        waiting, self.waiting = self.waiting, []
        for on_placed in waiting:
            on_placed()

    def told(self, source: str) -> SourceTold | None:
        return None


@asynccontextmanager
async def following(source: PlayedSource, log: Log) -> AsyncIterator[Follower]:
    """A follower that runs."""
    follower = Follower(source, "db@1", log, SystemClock(), SETTINGS)
    task = asyncio.get_running_loop().create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert log.released == 1
        assert source.opened == source.closed


def _tags(log: Log) -> list[tuple[str, ...]]:
    return [event.tags for event in log.placed]


async def test_what_was_committed_is_placed_in_order_and_confirmed_once_it_is_there_and_told() -> None:
    source, log = PlayedSource(echoes=False), Log()
    log.holds = True
    async with following(source, log):
        source.tells(Committed("0/A", ("user:1",)))
        await until(lambda: len(log.placed) == 1)
        source.tells(Committed("0/B", ("user:2",)))
        await until(lambda: len(log.placed) == 2)
        claims = log.claims
        await until(lambda: log.claims > claims + 1)
        assert (source.confirmed, log.moments) == ([], [])
        log.go_on()
        await until(lambda: source.confirmed == ["0/B"])
    assert log.moments == [SourceMoment("epoch", None, "0/B")]
    assert _tags(log) == [("user:1",), ("user:2",)]


async def test_commits_that_come_together_are_one_event() -> None:
    source, log = PlayedSource(echoes=False), Log()
    async with following(source, log):
        source.tells(Committed("0/A", ("user:1", "users")), Committed("0/B", ("user:2", "users")), Committed("0/C", ()))
        await until(lambda: source.confirmed == ["0/C"])
    assert _tags(log) == [("user:1", "users", "user:2")]


async def test_an_event_is_no_larger_than_it_may_be() -> None:
    source, log = PlayedSource(echoes=False), Log()
    many = [Committed(f"0/{number:X}", (f"user:{number}",)) for number in range(2 * MOST_TAGS + 1)]
    async with following(source, log):
        source.tells(*many)
        await until(lambda: source.confirmed[-1:] == [many[-1].position])
    assert [len(tags) for tags in _tags(log)] == [MOST_TAGS, MOST_TAGS, 1]


async def test_a_heartbeat_is_told_to_the_others_once_all_before_it_is_in_the_log() -> None:
    source, log = PlayedSource(echoes=False), Log()
    log.holds = True
    async with following(source, log):
        await until(lambda: len(source.beats) == 1)
        source.tells(Committed("0/A", ("user:1",)), Beat("0/B", source.beats[0]))
        await until(lambda: len(log.placed) == 1)
        claims = log.claims
        await until(lambda: log.claims > claims + 1)
        assert log.moments == []
        log.go_on()
        await until(lambda: len(log.moments) == 1)
    clock, _, ms = source.beats[0].rpartition(" ")
    assert log.moments == [SourceMoment(clock, int(ms), "0/B")]
    assert source.confirmed == ["0/B"]


async def test_a_heartbeat_that_is_not_ours_says_where_the_source_is_and_not_when() -> None:
    source, log = PlayedSource(echoes=False), Log()
    async with following(source, log) as follower:
        source.tells(Beat("0/A", "nonsense"), Beat("0/B", ""))
        await until(lambda: source.confirmed == ["0/B"])
        assert follower.counts.beats == 2
    assert log.moments == [SourceMoment("epoch", None, "0/B")]


async def test_a_source_without_heartbeats_tells_by_its_own_clock() -> None:
    source, log = PlayedSource(echoes=False), Log()
    async with following(source, log):
        await until(lambda: source.opened == 1)
        source.tells(AsOf("5-0", round(SystemClock().now() * 1000) - 400))
        await until(lambda: len(log.moments) == 1)
    assert log.moments[0].ms is not None
    assert log.moments[0].ms <= log.now_ms - 400


async def test_nothing_more_is_read_while_too_much_is_on_its_way() -> None:
    source, log = PlayedSource(echoes=False), Log()
    log.holds = True
    async with following(source, log):
        for number in range(MOST_PENDING + 5):
            source.tells(Committed(f"0/{number:X}", ("user:1",)))
        await until(lambda: len(log.placed) == MOST_PENDING)
        await asyncio.sleep(0.02)
        assert len(log.placed) == MOST_PENDING
        log.holds = False
        log.go_on()
        await until(lambda: source.confirmed[-1:] == [f"0/{MOST_PENDING + 4:X}"])


async def test_who_is_not_to_read_stands_by_until_nobody_does() -> None:
    source, log = PlayedSource(), Log()
    log.reader = "other"
    async with following(source, log) as follower:
        await until(lambda: follower.state is FollowerState.STANDING_BY)
        assert (source.opened, follower.reader) == (0, "other")
        log.reader = "me"
        await until(lambda: follower.state is FollowerState.READING)


async def test_what_the_source_keeps_is_told_by_who_reads_it() -> None:
    source, log = PlayedSource(), Log()
    source.kept_bytes = 5_000
    async with following(source, log) as follower:
        await until(lambda: follower.state is FollowerState.READING)
        assert follower.kept_bytes == 5_000
        log.reader = "other"
        await until(lambda: follower.state is FollowerState.STANDING_BY)
        assert follower.kept_bytes is None


async def test_who_has_lost_the_right_to_read_stops_reading() -> None:
    source, log = PlayedSource(), Log()
    async with following(source, log) as follower:
        await until(lambda: follower.state is FollowerState.READING)
        log.reader = "other"
        await until(lambda: follower.state is FollowerState.STANDING_BY)
        assert source.closed == 1


async def test_who_cannot_ask_whether_it_still_may_read_stops_once_its_right_must_be_over() -> None:
    source, log = PlayedSource(), Log()
    async with following(source, log) as follower:
        await until(lambda: follower.state is FollowerState.READING)
        log.away = True
        await until(lambda: source.closed == 1)
        assert follower.state is FollowerState.LOST
        log.away = False
        await until(lambda: follower.state is FollowerState.READING)


async def test_a_source_that_breaks_is_read_anew_and_what_was_on_its_way_is_not_confirmed_there() -> None:
    source, log = PlayedSource(echoes=False), Log()
    log.holds = True
    async with following(source, log) as follower:
        source.tells(Committed("0/A", ("user:1",)))
        await until(lambda: len(log.placed) == 1)
        source.breaks(SourceError("cut"))
        await until(lambda: source.opened == 2)
        log.go_on()
        source.tells(Committed("0/A", ("user:1",)))
        await until(lambda: len(log.waiting) == 1)
        claims = log.claims
        await until(lambda: log.claims > claims + 1)
        assert source.confirmed == []
        log.go_on()
        await until(lambda: source.confirmed == ["0/A"])
        assert follower.state is FollowerState.READING


async def test_a_source_that_needs_help_says_once_what_would_mend_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source, log = PlayedSource(), Log()
    source.refuses = [SourceError("no slot may be made", sql=("ALTER ROLE veneer REPLICATION",), lasting=True)] * 3
    async with following(source, log) as follower:
        await until(lambda: follower.state is FollowerState.READING)
    lines = [record.message for record in caplog.records]
    assert lines == [
        "changes db: lost: no slot may be made; what would mend it:\n  ALTER ROLE veneer REPLICATION;",
        "changes db: reading",
    ]
    assert caplog.records[0].levelno == logging.ERROR


async def test_what_was_missed_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    source, log = PlayedSource(echoes=False), Log()
    async with following(source, log) as follower:
        source.tells(Committed("0/A", source.all_tags, gap="the slot is new"))
        await until(lambda: source.confirmed == ["0/A"])
        assert follower.counts.gaps == {"the slot is new": 1}
    assert _tags(log) == [source.all_tags]
    assert "the slot is new, at 0/A" in caplog.text


@pytest.mark.parametrize(
    ("known", "origin", "missed"),
    [
        (None, None, "nothing was told with these settings before"),
        (("0/A", ""), None, None),
        (("0/A", "one"), ("one", "0/A"), None),
        (("0/A", "one"), ("one", "0/9"), None),
        (("0/A", "one"), ("one", ""), None),
        (("0/A", "one"), ("one", "0/B"), "somebody else has read them, or the source has begun anew"),
        (("0/A", "one"), ("two", "0/9"), "another server tells them now"),
        (("0/A", ""), ("one", "0/9"), "another server tells them now"),
    ],
)
async def test_what_may_have_been_missed_since_the_log_has_heard_of_the_source_names_everything(
    known: tuple[str, str] | None, origin: tuple[str, str] | None, missed: str | None
) -> None:
    source, log = PlayedSource(echoes=False), Log()
    log.known = None if known is None else SourceMoment("epoch", 1, *known)
    source.origin = None if origin is None else StreamOrigin(*origin)
    async with following(source, log) as follower:
        source.tells(Committed("0/C", ("user:1",)))
        await until(lambda: source.confirmed == ["0/C"])
        assert list(follower.counts.gaps) == ([] if missed is None else [missed])
    assert _tags(log) == [*([source.all_tags] if missed else []), ("user:1",)]
    assert log.moments[-1].origin == ("" if origin is None else origin[0])


async def test_a_fault_of_ours_ends_no_follower(caplog: pytest.LogCaptureFixture) -> None:
    source, log = PlayedSource(echoes=False), Log()
    async with following(source, log) as follower:
        source.tells(Committed("0/A", None))  # type: ignore[arg-type]  # what no source says
        await until(lambda: source.opened == 2)
        assert follower.state is FollowerState.READING
    assert "following it failed" in caplog.text
