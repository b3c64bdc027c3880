"""Whom a connection to a backend belongs to."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from veneer.upstream.connection import Connection


@mypyc_attr(allow_interpreted_subclasses=True)
class ConnectionOwner:
    """Whom connections belong to. A class to derive from: a call of its methods is direct where both are compiled."""

    @abstractmethod
    def lost(self, connection: Connection) -> None:
        """The connection is closed."""

    @abstractmethod
    def freed(self, connection: Connection) -> None:
        """The connection has carried an exchange whose response was taken, and may carry another."""
