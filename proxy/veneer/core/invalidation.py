"""What an invalidation names, and what a stored response answers to.

An invalidation is an event in a log; entries are checked against the log, never looked up from it. Both sides speak
in *subjects*, short strings: "t:user:42" a tag, "t:user:*" a tag prefix, "u:<uri>" a URI, "p:<uri prefix>", "*".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr


class InvalidationMode(Enum):
    """Hard: the response must not be used again. Soft: it is stale, so the stale-* windows still apply."""

    HARD = "hard"
    SOFT = "soft"


_HARD: Final = InvalidationMode.HARD  # to look a member of an Enum up runs Python


class Validity(Enum):
    """What the log says of an entry."""

    VALID = "valid"
    SOFT = "soft"
    DEAD = "dead"


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Invalidation:
    """One event: the subjects it names. `tags` may end in ":*" (the tag itself and all below it) or be "*".

    `uris` and `uri_prefixes` are either "authority/path?query" or, beginning with "/", valid for every authority.
    """

    tags: Final[tuple[str, ...]]
    uris: Final[tuple[str, ...]]
    uri_prefixes: Final[tuple[str, ...]]
    everything: Final[bool]
    strength: Final[InvalidationMode]

    def __init__(
        self,
        tags: tuple[str, ...] = (),
        uris: tuple[str, ...] = (),
        uri_prefixes: tuple[str, ...] = (),
        everything: bool = False,
        strength: InvalidationMode = _HARD,
    ) -> None:
        self.tags = tags
        self.uris = uris
        self.uri_prefixes = uri_prefixes
        self.everything = everything
        self.strength = strength

    def __bool__(self) -> bool:
        return bool(self.tags or self.uris or self.uri_prefixes or self.everything)
