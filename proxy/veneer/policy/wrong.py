"""What is wrong with a part of a section, told by who knows the part and not where it stands."""

from __future__ import annotations

from typing import NamedTuple

from veneer.policy.document import KeyPath


class Wrong(NamedTuple):
    """What is wrong at a place below the section, and what would be right."""

    path: KeyPath
    message: str
    suggestion: str | None = None
