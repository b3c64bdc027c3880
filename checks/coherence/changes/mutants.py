"""Veneer made wrong on purpose about changes: `python -m checks.coherence.changes.mutants NAME serve ...`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from veneer.cli.main import main
from veneer.core.change_tags import TransactionTags
from veneer.core.invalidation import Invalidation
from veneer.core.row_changes import RowChange
from veneer.pipeline import lost
from veneer.stores.sources import RedisSources

ON_ITS_WAY_S: Final = 1.0


def confirm_before_the_log() -> None:
    """What was read is confirmed as being in the log while it is still on its way there, which takes a while."""
    place_soon = RedisSources.place_soon

    def wrong(log: RedisSources, invalidation: Invalidation, on_placed: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(ON_ITS_WAY_S, place_soon, log, invalidation, _nobody_waits)
        on_placed()

    RedisSources.place_soon = wrong  # type: ignore[method-assign,assignment]


def _nobody_waits() -> None:
    pass


def skip_the_old_row() -> None:
    """Only the new row's tags are named."""
    add = TransactionTags.add

    def wrong(tags: TransactionTags, change: RowChange) -> None:
        add(tags, RowChange(change.table, change.kind, change.new, change.new))

    TransactionTags.add = wrong  # type: ignore[method-assign,assignment]


def ignore_the_lag() -> None:
    """A source is held to keep up, whatever its heartbeats say."""

    def wrong(*_: float) -> bool:
        return True

    lost.keeps_up = wrong  # type: ignore[attr-defined,assignment]


MUTANTS: dict[str, Callable[[], None]] = {
    "confirm-before-the-log": confirm_before_the_log,
    "skip-the-old-row": skip_the_old_row,
    "ignore-the-lag": ignore_the_lag,
}
if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
