"""Files that are read somewhere else than where the policy names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FileCopies:
    """Where copies of files are, by the names in the policy; what is not among them is read where it is named."""

    by_name: Mapping[str, str]

    def of(self, name: str) -> str:
        """The path to read."""
        return self.by_name.get(name, name)


NO_COPIES: Final = FileCopies({})
