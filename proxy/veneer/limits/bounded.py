"""A map that never holds more than it may, and never sweeps: it forgets the oldest."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedMap(Generic[V]):
    """At most `most` values by text key; setting one more drops the one that was set first. All in constant time."""

    __slots__ = ("_most", "_values", "get")

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._values: OrderedDict[str, V] = OrderedDict()
        self.get = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, key: str, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def discard(self, key: str) -> None:
        """Forget one key, known or not."""
        self._values.pop(key, None)
