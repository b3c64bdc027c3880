"""Bounds of a node's part of the shared log."""

from __future__ import annotations

from dataclasses import dataclass

from veneer.stores.table import DEFAULT_MAX_BYTES


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`renew_s` is the time between renewals; `hold_s` bounds how long an append waits for Redis to come back.

    `most_queued` bounds what the events kept meanwhile name; more than that become one event, "everything".
    """

    renew_s: float = 0.5
    retry_s: float = 0.1
    hold_s: float = 5.0
    most_queued: int = 10_000
    max_table_bytes: int = DEFAULT_MAX_BYTES
