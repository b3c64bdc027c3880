"""The limits of client connections, and what is refused for passing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CUT_S: Final = 6.0
"""How long an exchange that is cut short at a stop is waited for: a write that is in doubt then tells the other nodes
before its client sees that it has ended, and that may wait for Redis for 5 s. Others end at once."""


@dataclass(frozen=True, slots=True)
class MalformedRequest:
    """What is refused before it is a request: the status (400, 408, 431 or 503), why, and who sent it.

    `method` and `target` are what stands in their places, "" where that is not known.
    """

    status: int
    detail: str
    address: str
    method: str = ""
    target: str = ""


MalformedCallback = Callable[[MalformedRequest], bytes]


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Limits of client connections; all are of one but `most_connections`."""

    keepalive_timeout_s: float = 75.0
    head_timeout_s: float = 15.0
    most_connections: int = 20_000
    max_line_bytes: int = 8190
    max_field_bytes: int = 16 * 1024
    max_fields: int = 128
    lingering_s: float = 5.0
    read_buffer_bytes: int = 256 * 1024
