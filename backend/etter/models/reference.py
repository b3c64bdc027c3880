"""Reference data and autocomplete on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from etter.web.fields import Id, Search


class AutoCompleteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to complete. With an `@` in it, `q` is matched against the start of e-mail addresses."""

    type: Literal["user", "task"]
    q: Search


class Suggestion(msgspec.Struct, frozen=True):
    """One completion."""

    id: int
    label: str
    detail: str


class AdjacencyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which neighbours to show."""

    role_id: Id | None = None
    min_similarity: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Neighbour(msgspec.Struct, frozen=True):
    """A role near another one; similarity 0 to 1."""

    id: int
    name: str
    similarity: float


class RoleNeighbours(msgspec.Struct, frozen=True):
    """A role and the roles near it, nearest first."""

    id: int
    name: str
    adjacent: list[Neighbour]
