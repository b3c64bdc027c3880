"""What became of the purges that one process was asked for."""

from __future__ import annotations

from typing import Final

RESULTS: Final = ("applied", "not-shared", "refused")


class PurgeCounts:
    """By result: applied everywhere, only at this node as the log could not be reached, or refused as it made no sense.

    Previews are not counted.
    """

    def __init__(self) -> None:
        self.by_result = dict.fromkeys(RESULTS, 0)

    def applied(self, *, shared: bool) -> None:
        """One was applied."""
        self.by_result["applied" if shared else "not-shared"] += 1

    def refused(self) -> None:
        """One was refused."""
        self.by_result["refused"] += 1
