"""Reference data and autocomplete on the wire."""

from typing import Literal

import msgspec

from backend.web.fields import Search


class AutoCompleteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to complete. With an `@` in it, `q` is matched against the start of e-mail addresses."""

    type: Literal["user", "task"]
    q: Search


class Suggestion(msgspec.Struct, frozen=True):
    """One completion."""

    id: int
    label: str
    detail: str
