"""Who answers some requests from their bytes alone.

Classes to derive from, unlike most ports: where both sides are compiled, a call of one's method is direct.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from veneer.server.link import ConnectionHandle


@mypyc_attr(allow_interpreted_subclasses=True)
class FastPathHandler:
    """Answers some requests of one connection."""

    __slots__ = ()

    @abstractmethod
    def answer(self, data: bytes) -> bool:
        """Answer the one request in `data`; False, and nothing done, when it has to take the normal way."""


@mypyc_attr(allow_interpreted_subclasses=True)
class FastPath:
    """Gives each connection its handler."""

    __slots__ = ()

    @abstractmethod
    def connect(self, link: ConnectionHandle, write: Callable[[list[bytes]], None]) -> FastPathHandler:
        """A new connection; `write` queues bytes to be sent on it, in pieces."""

    @abstractmethod
    def prefetch(self, handlers: list[FastPathHandler], data: list[bytes]) -> None:
        """See what each of these handlers is to be asked next, in this order, and decide nothing."""
