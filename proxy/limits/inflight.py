"""A guard on how much goes on at once: it refuses instead of queueing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class OverloadedError(Exception):
    """As many are in flight as may be; `whose` is the key whose bound was reached, None for the total."""

    def __init__(self, whose: str | None, most: int) -> None:
        super().__init__(f"{most} in flight" + ("" if whose is None else f" for {whose}"))
        self.whose = whose
        self.most = most


class InFlight:
    """Counts what goes on, in all and by key (a client, a route); None means no bound.

    Keys are remembered only while something of theirs goes on, so the total bounds them. The bounds may be changed at
    any time; what goes on already goes on.
    """

    def __init__(self, most: int | None, most_by_key: int | None = None) -> None:
        self.most = most
        self.most_by_key = most_by_key
        self._by_key: dict[str, int] = {}
        self.active = 0
        self.refused = 0

    @contextmanager
    def slot(self, key: str = "") -> Iterator[None]:
        """Take a place for as long as the block runs, however it ends.

        Raises OverloadedError when there is none.
        """
        held = self._by_key.get(key, 0)
        if self.most is not None and self.active >= self.most:
            self.refused += 1
            raise OverloadedError(None, self.most)
        if self.most_by_key is not None and held >= self.most_by_key:
            self.refused += 1
            raise OverloadedError(key, self.most_by_key)
        self.active += 1
        self._by_key[key] = held + 1
        try:
            yield
        finally:
            self.active -= 1
            left = self._by_key[key] - 1
            if left:
                self._by_key[key] = left
            else:
                del self._by_key[key]
