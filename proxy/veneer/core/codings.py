"""The content codings that this proxy can make: the one list of them (RFC 9110 section 8.4.1).

Another coding is a name and its levels here, and how it is made and read in `veneer.compress.coders`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

CodingName: TypeAlias = Literal["br", "zstd", "gzip"]
"""Their names, the one preferred among equals first."""

CODINGS: Final[tuple[str, ...]] = get_args(CodingName)

ALIASES: Final = (("x-gzip", "gzip"), ("x-compress", "compress"))
"""Other names under which a client may mean a coding (RFC 9110 sections 8.4.1.1 and 8.4.1.3)."""


@dataclass(frozen=True, slots=True)
class Levels:
    """How hard a coding can be asked to try. From `slow_from` on it takes too long for an event loop.

    Up to `quick_to` it codes more than 60 KB in a millisecond.

    zstd ends at 19: what is above needs windows that decoders of HTTP do not have to offer (RFC 9659).
    """

    lowest: int
    highest: int
    quick_to: int
    slow_from: int

    def nearest(self, wanted: int) -> int:
        """The nearest level there is."""
        return min(max(wanted, self.lowest), self.highest)


LEVELS: Final[dict[str, Levels]] = {
    "br": Levels(0, 11, quick_to=2, slow_from=8),
    "zstd": Levels(1, 19, quick_to=3, slow_from=12),
    "gzip": Levels(1, 9, quick_to=2, slow_from=10),
}
"""The levels of each coding."""
