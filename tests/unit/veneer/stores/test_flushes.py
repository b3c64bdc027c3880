"""Why all that was stored is dead: counted by reason, told with a line each."""

from __future__ import annotations

import pytest

from veneer.core.invalidation import Invalidation
from veneer.stores.events import LogEvent, log_event
from veneer.stores.flushes import Flushes, FlushReason

EVERYTHING = Invalidation(everything=True)


@pytest.mark.parametrize(
    ("event", "reason", "words"),
    [
        (LogEvent(1, 2, EVERYTHING, "", lost="n1, n2"), FlushReason.LOST_NODE, "n1, n2"),
        (LogEvent(1, 2, EVERYTHING, "n3"), FlushReason.EVENT, "node n3"),
        (LogEvent(1, 2, EVERYTHING, ""), FlushReason.EVENT, "everything"),
        (LogEvent(1, 2, EVERYTHING, "", closes="name"), None, ""),
        (LogEvent(1, 2, Invalidation(tags=("a",)), "n3"), None, ""),
    ],
)
def test_an_event_that_kills_everything_says_why(
    event: LogEvent, reason: FlushReason | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    flushes = Flushes()
    flushes.heard(event)
    assert [one for one, count in flushes.counts.items() if count] == ([reason] if reason else [])
    assert len(caplog.records) == (reason is not None)
    assert words in caplog.text


def test_holds_that_nobody_closed_are_one_flush_and_none_is_none() -> None:
    flushes = Flushes()
    assert (flushes.overdue(0), flushes.overdue(3)) == (0, 3)
    assert flushes.counts[FlushReason.OVERDUE] == 1


def test_whose_write_it_stands_for_is_read_from_the_log() -> None:
    assert log_event("1-2", {"e": b"", "w": b"", "l": b"n1"}).lost == "n1"
