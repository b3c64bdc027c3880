"""What a response tells caches: who may share it, for how long, and to which groups it belongs.

Authenticated answers may be reused by a shared cache only when they say so (RFC 9111 section 3.5). Three kinds:

* reference: the same for everybody, so `public` for all;
* company: the same for all members of a company. Nothing is said of it: so only a cache that knows who belongs to the
  company by the token may share it;
* personal: `private`.

`max-age=0` keeps browsers asking: only shared caches near the backend hear of invalidations.
"""

import enum
from dataclasses import dataclass

from etter.web.auth import Caller


class Sharing(enum.Enum):
    """Who may be given a stored copy of the response."""

    REFERENCE = "reference"
    COMPANY = "company"
    PERSONAL = "personal"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class CacheAdvice:
    """Sharing and lifetime of a route's answers. `shared_seconds` counts for shared caches only.

    Of what concerns a company the cache's own policy says it, as well as with whom to share: policies.yaml has these
    numbers.
    """

    sharing: Sharing
    shared_seconds: int = 0


STORED_BY_NOBODY = CacheAdvice(Sharing.NOBODY)


def cache_headers(
    advice: CacheAdvice, caller: Caller | None, groups: tuple[str, ...], invalidates: tuple[str, ...]
) -> dict[str, str]:
    """Render Cache-Control and the group fields of RFC 9875."""
    headers = _control(advice, caller)
    if groups:
        headers["Cache-Groups"] = group_list(groups)
    if invalidates:
        headers["Cache-Group-Invalidation"] = group_list(invalidates)
    return headers


def _control(advice: CacheAdvice, caller: Caller | None) -> dict[str, str]:
    shared = f"public, max-age=0, s-maxage={advice.shared_seconds}"
    match advice.sharing:
        case Sharing.REFERENCE:
            return {"Cache-Control": shared}
        case Sharing.COMPANY if caller is not None and caller.role == "member":
            return {}
        case Sharing.NOBODY:
            return {"Cache-Control": "no-store"}
        case _:  # personal, or the platform's view across companies
            return {"Cache-Control": "private, no-cache"}


def group_list(groups: tuple[str, ...]) -> str:
    """Write a structured-field list of strings (RFC 9651 section 4.1.1); groups are plain ASCII names."""
    return ", ".join(f'"{group}"' for group in groups)
