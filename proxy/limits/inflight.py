"""A guard on how much goes on at once: it refuses instead of queueing."""

from __future__ import annotations


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

    @property
    def full(self) -> bool:
        """Whether there is no place."""
        return self.most is not None and self.active >= self.most

    def slot(self, key: str = "") -> Slot:
        """A place for as long as the block under `with` runs, however it ends.

        Entering it raises OverloadedError when there is none.
        """
        return Slot(self, key)

    def take(self, key: str = "") -> None:
        """Take a place; without a key it counts in the total alone.

        Raises OverloadedError when there is none.
        """
        if self.most is not None and self.active >= self.most:
            self.refused += 1
            raise OverloadedError(None, self.most)
        if key:
            held = self._by_key.get(key, 0)
            if self.most_by_key is not None and held >= self.most_by_key:
                self.refused += 1
                raise OverloadedError(key, self.most_by_key)
            self._by_key[key] = held + 1
        self.active += 1

    def give_back(self, key: str = "") -> None:
        """Give a place back that was taken before."""
        self.active -= 1
        if not key:
            return
        left = self._by_key[key] - 1
        if left:
            self._by_key[key] = left
        else:
            del self._by_key[key]


class Slot:
    """One place, taken when its block begins and given back when it ends."""

    __slots__ = ("_guard", "_key")

    def __init__(self, guard: InFlight, key: str) -> None:
        self._guard = guard
        self._key = key

    def __enter__(self) -> None:
        self._guard.take(self._key)

    def __exit__(self, *exc_info: object) -> None:
        self._guard.give_back(self._key)
