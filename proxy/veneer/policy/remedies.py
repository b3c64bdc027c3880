"""What helps where a response is not kept, or not simply served: as docs/why-no-hit.md has it, for `veneer explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from veneer.core.outcome import Reason
from veneer.core.storability import NotStorable
from veneer.policy.explain import Explanation

_LIFETIME: Final = (
    "`cache: {ttl: 5m}` for the route, `ttl: {404: 10s}` for other statuses, or `Cache-Control` in the backend; where "
    "that says `no-cache` or `max-age=0`, `origin: override` beside the `ttl`"
)

REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.NO_USE: _LIFETIME,
    Reason.NO_FRESHNESS: _LIFETIME,
    Reason.COOKIE: (
        'name those that mean nothing: `cookies: {ignore: ["_ga*", "_gid"]}`; '
        "put those that matter into the key: `cookies: {key: [lang]}`"
    ),
    Reason.AUTHORIZATION: "`identities` and `share`, or `public` or `s-maxage` from the backend",
    Reason.NO_IDENTITY: "see the identity's errors: `veneer explain ... -H 'Authorization: ...'`",
    Reason.SET_COOKIE: "`set_cookie: strip` where the cookie does not matter",
    Reason.PRIVATE: "another `Cache-Control` in the backend: no policy goes against `private` and `no-store`",
    Reason.NO_STORE: "another `Cache-Control` in the backend: no policy goes against `private` and `no-store`",
    Reason.VARY_STAR: "name the fields in the backend's `Vary`",
    Reason.CACHE_OFF: "`cache: {enabled: true}` for the route",
    Reason.TOO_LARGE: "`max_body`, `stores.memory`",
    Reason.TOO_MANY_TAGS: "fewer and broader tags",
    Reason.NO_CACHE: "`origin: override` with a `ttl`, or `Cache-Control` without `no-cache` in the backend",
}
"""By why it is so. Where nothing stands here, nothing is to be done: it lies in what was asked for."""


def remedy(found: Explanation) -> str | None:
    """What would make a hit of the next such request; None where it is one, or cannot become one."""
    if isinstance(found.verdict, NotStorable):
        return REMEDIES.get(found.verdict.reason)
    standing = found.standing
    if standing is not None and standing.terms.must_validate:
        return REMEDIES[Reason.NO_CACHE]
    return _LIFETIME if found.ttl_s == 0 else None
