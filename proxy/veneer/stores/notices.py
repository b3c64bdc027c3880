"""Hints between nodes by the log's connections: keys that were replaced, locks that are free. They may be lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from veneer.redis.script import FAILURES
from veneer.stores.stream_decoder import Notice


class AnnouncingLink(Protocol):
    """The log's link, as far as it carries hints."""

    def announce(self, key: str, *, released: bool = False) -> None:
        """Tell the other nodes that `key` was replaced, or its lock released. Raises one of FAILURES."""
        ...


class LogNotices:
    """What this node tells the others, unless Redis is away (`reached`), and who gets what they tell it."""

    def __init__(
        self, link: AnnouncingLink, reached: Callable[[], bool], failed: Callable[[BaseException], None]
    ) -> None:
        self._link = link
        self._reached = reached
        self._failed = failed
        self._on_replaced: Callable[[str], None] = lambda _key: None
        self._on_lock_released: Callable[[str], None] = lambda _digest: None

    def listen(self, on_replaced: Callable[[str], None], on_lock_released: Callable[[str], None]) -> None:
        """Who gets the keys that others replace in the shared store, and who the names of locks that they release."""
        self._on_replaced, self._on_lock_released = on_replaced, on_lock_released

    def announce(self, key: str, *, released: bool) -> None:
        """Tell the others."""
        if self._reached():
            try:
                self._link.announce(key, released=released)
            except FAILURES as error:
                self._failed(error)

    def heard(self, notices: Sequence[Notice]) -> None:
        """What others have told."""
        for notice in notices:
            (self._on_lock_released if notice.released else self._on_replaced)(notice.key)
