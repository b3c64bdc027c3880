"""The names of all keys in Redis.

Those of the log share one hash tag, so they lie in one slot of a Cluster; so do the responses of one cache key and the
locks to fetch them. Every other key is a slot of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PREFIX: Final = "veneer"


def entries_of(epoch: str) -> str:
    """How the names of all stored responses of an epoch begin."""
    return f"{PREFIX}:entry:{epoch}:"


def entry_key(epoch: str, digest: str) -> str:
    """The hash of the responses stored under one cache key."""
    return f"{entries_of(epoch)}{{{digest}}}"


def lock_key(digest: str, group: str) -> str:
    """Who holds the lock to fetch what one cache key names, for requests of one group (core.key.flight_key)."""
    return f"{PREFIX}:lock:{{{digest}}}:{group}"


def rate_key(client: str) -> str:
    """What one client has used of one limit (core.rate.client_key)."""
    return f"{PREFIX}:limit:{client}"


def stream_position_key(source: str, stream: str) -> str:
    """How far a source of changes has read a stream of somebody else's. It lies in the stream's slot."""
    tag = stream[stream.find("{") + 1 :].partition("}")[0] if "{" in stream else ""
    return f"{PREFIX}:changes:{source}:{{{tag or stream}}}"


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The names of the log's keys."""

    prefix: str = PREFIX

    @property
    def state(self) -> str:
        """The hash of the log's state."""
        return f"{{{self.prefix}}}:state"

    @property
    def stream(self) -> str:
        """The stream of events."""
        return f"{{{self.prefix}}}:log"

    @property
    def notices(self) -> str:
        """The stream of notices."""
        return f"{{{self.prefix}}}:notices"

    @property
    def holds(self) -> str:
        """The hash of what is held while the outcome of a write is open."""
        return f"{{{self.prefix}}}:holds"

    def inbox(self, node: str) -> str:
        """The stream of what is said to one node."""
        return f"{{{self.prefix}}}:in:{node}"
