"""What is stored and not dead: from which the core chooses."""

from __future__ import annotations

from collections.abc import Iterable

from veneer.core.entry import Entry
from veneer.core.invalidation import Validity
from veneer.core.reuse import Candidate
from veneer.ports import InvalidationLog


def candidates(log: InvalidationLog, entries: Iterable[Entry]) -> list[Candidate]:
    """The entries that nothing has killed, as far as the log was heard, with what it says of them."""
    return [(entry, validity) for entry in entries if (validity := log.validity(entry)) is not Validity.DEAD]
