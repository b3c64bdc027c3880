"""From the checked sections `request` and `response` to the edits of the core, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from veneer.core.cors import ANY, CorsRules
from veneer.core.field_edits import (
    NO_EDITS,
    TAGS_HIDDEN,
    FieldEdits,
    edits,
    why_not_in_requests,
    why_not_in_responses,
)
from veneer.core.fields import Pair
from veneer.policy.document import KeyPath
from veneer.policy.schema_fields import CorsShape, RequestFieldsShape, ResponseFieldsShape

SECURITY: Final[tuple[Pair, ...]] = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)(:[0-9]{1,5})?|null")

Found = tuple[KeyPath, str, str]
"""Where below the section, what is wrong there, and what would be right."""


def request_edits(shape: RequestFieldsShape) -> FieldEdits:
    """What becomes of requests."""
    found = edits(shape.set.items(), shape.add.items(), shape.remove)
    return NO_EDITS if found == NO_EDITS else found


def response_edits(shape: ResponseFieldsShape) -> FieldEdits:
    """What becomes of responses."""
    hidden = frozenset[str]() if shape.keep_tags else TAGS_HIDDEN.dropped
    missing = SECURITY if shape.security else ()
    found = edits(shape.set.items(), shape.add.items(), (*shape.remove, *hidden), missing)
    return TAGS_HIDDEN if found == TAGS_HIDDEN else found


def wrong_requests(shape: RequestFieldsShape) -> Iterator[Found]:
    """What a route may not do to requests."""
    yield from _wrong(shape, lambda name, _: why_not_in_requests(name))


def wrong_responses(shape: ResponseFieldsShape) -> Iterator[Found]:
    """What a route may not do to responses."""
    yield from _wrong(shape, why_not_in_responses)


def cors_rules(shape: CorsShape) -> CorsRules:
    """Which pages may read the proxy's own answers."""
    return CorsRules(frozenset(shape.origins), shape.credentials, tuple(shape.expose), shape.learn)


def wrong_cors(shape: CorsShape) -> Iterator[Found]:
    """Origins that no browser sends, and what browsers do not take together."""
    for index, origin in enumerate(shape.origins):
        if origin != ANY and not _ORIGIN.fullmatch(origin):
            yield ("origins", index), f'"{origin}" is not an origin as browsers send it', _as_origin(origin)
        elif origin == ANY and shape.credentials:
            yield ("origins", index), 'browsers take no "*" beside `credentials: true`', "name the origins"


def _as_origin(text: str) -> str:
    scheme, separator, rest = text.lower().partition("://")
    host = (rest if separator else scheme).partition("/")[0].removeprefix("*.")
    shown = f"{scheme if separator else 'https'}://{host}"
    return f'write "{shown}", or "*" for all' if _ORIGIN.fullmatch(shown) else 'write "https://app.example"'


def _wrong(
    shape: RequestFieldsShape | ResponseFieldsShape, why_not: Callable[[str, str | None], str | None]
) -> Iterator[Found]:
    named: list[tuple[KeyPath, str, str | None]] = [(("set", name), name, value) for name, value in shape.set.items()]
    named += [(("add", name), name, None) for name in shape.add]
    named += [(("remove", index), name, None) for index, name in enumerate(shape.remove)]
    seen: dict[str, KeyPath] = {}
    for at, name, value in named:
        why = why_not(name, value)
        if why is not None:
            yield at, f'"{name}" {why}', _instead(name, at)
        elif (before := seen.setdefault(name.lower(), at)) != at:
            yield (
                at,
                f'"{name}" is under `{before[0]}` already',
                "`set` replaces, `add` adds, `remove` removes: keep one",
            )


def _instead(name: str, at: KeyPath) -> str:
    if name.lower() == "cache-control":
        if at[0] == "set":
            return "write no-store or no-cache, or give a lifetime by `cache.ttl`"
        return "write `set: {Cache-Control: no-store}`, or see `cache.obey_request_no_cache`"
    return "remove it"
