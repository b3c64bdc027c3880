"""How late a source of changes is, and how late it may be (docs/guarantees.md, "Changes behind the proxy")."""

from __future__ import annotations

import re
from typing import Final

from veneer.core.postgres import parse_lsn

BEATS_IN_LAG: Final = 8
LONGEST_BEAT_S: Final = 0.5
SHORTEST_BEAT_S: Final = 0.1

_STREAM_ID: Final = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")


def keeps_up(as_of_s: float, max_lag_s: float, now_s: float) -> bool:
    """Whether what was committed up to `max_lag_s` before `now_s` has been heard.

    `as_of_s`: all that was committed before this moment has been applied here. Both moments by one monotonic clock.
    """
    return now_s - as_of_s <= max_lag_s


def beat_every_s(max_lag_s: float) -> float:
    """How often a heartbeat is sent: often enough that one that is late, or lost, does not count as a source's loss."""
    return min(LONGEST_BEAT_S, max(SHORTEST_BEAT_S, max_lag_s / BEATS_IN_LAG))


def has_reached(position: str, wanted: str) -> bool:
    """Whether a source at `position` has come as far as `wanted`. Raises ValueError for what is no position.

    Positions are PostgreSQL's LSNs ("16/B374D848", two halves in hex) or stream ids of Redis ("1700000000000-3").
    """
    if not position:
        return False
    return _number(position) >= _number(wanted)


def stream_id(text: str) -> tuple[int, int] | None:
    """The id of an entry of a Redis stream, to be compared with others; None where it is none."""
    found = _STREAM_ID.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def _number(position: str) -> tuple[int, int]:
    if (lsn := parse_lsn(position)) is not None:
        return divmod(lsn, 1 << 32)
    if (entry := stream_id(position)) is not None:
        return entry
    right = 'an LSN, as "16/B374D848", or a stream id, as "1700000000000-3"'
    msg = f'"{position[:40]}" is no position of a source: write {right}'
    raise ValueError(msg)
