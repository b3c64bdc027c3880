"""Validators: entity tags and Last-Modified (RFC 9110 section 8.8)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import OWS

_ETAG: Final = re.compile(r'(?:W/)?"[^\x00- "\x7f]*"')

OWN_ETAG_PREFIX: Final = '"v.'
"""How every entity tag begins that this proxy made: the origin does not know it and must not be asked about it."""


def is_etag(text: str) -> bool:
    """Whether `text` is an entity-tag (section 8.8.3): bytes are compared, never repaired."""
    if text.isascii() and text.startswith('"') and text.find('"', 1) == len(text) - 1:
        return " " not in text and text.isprintable()  # as the pattern says, at half its price
    return _ETAG.fullmatch(text) is not None


def is_weak(etag: str) -> bool:
    """Whether the tag is marked as weak."""
    return etag.startswith("W/")


def strong_match(a: str, b: str) -> bool:
    """Strong comparison (section 8.8.3.2)."""
    return a == b and not is_weak(a)


def weak_match(a: str, b: str) -> bool:
    """Weak comparison (section 8.8.3.2)."""
    return a.removeprefix("W/") == b.removeprefix("W/")


def etag_of(fields: Fields) -> str | None:
    """The response's entity tag; None when it is absent, repeated or not an entity-tag."""
    value = fields.joined.get("etag")
    return value if value is not None and is_etag(value) else None


def origin_etag_of(fields: Fields) -> str | None:
    """The response's entity tag if the origin made it."""
    etag = etag_of(fields)
    return None if etag is None or is_own(etag) else etag


def strong_origin_etag(fields: Fields) -> str | None:
    """The origin's entity tag where it is strong: the only validator that tells one variant from all others.

    A weak one may be that of every variant (section 8.8.1), and so may Last-Modified.
    """
    etag = origin_etag_of(fields)
    return None if etag is None or is_weak(etag) else etag


def has_validator(fields: Fields) -> bool:
    """Whether the origin can be asked if the response is still current."""
    known = fields.joined
    return "last-modified" in known or ("etag" in known and origin_etag_of(fields) is not None)


def split_etags(value: str) -> list[str]:
    """The members of If-Match or If-None-Match (RFC 9110 section 13.1).

    Commas inside an opaque tag do not separate; malformed members are given back as they are.
    """
    members: list[str] = []
    rest = value.strip(OWS + ",")
    while rest:
        opening = rest.find('"')
        closing = rest.find('"', opening + 1)
        comma = rest.find(",")
        if opening in {0, 2} and closing != -1 and (opening == 0 or rest.startswith("W/")):
            members.append(rest[: closing + 1])
            rest = rest[closing + 1 :].lstrip(OWS + ",")
        elif comma != -1:
            members.append(rest[:comma].strip(OWS))
            rest = rest[comma:].lstrip(OWS + ",")
        else:
            members.append(rest)
            rest = ""
    return members


def make_etag(body: bytes) -> str:
    """A strong entity tag for a response that has none: a digest of its bytes, the same in every process."""
    digest = urlsafe_b64encode(blake2b(body, digest_size=15).digest()).decode("ascii")
    return f'{OWN_ETAG_PREFIX}{digest}"'


def is_own(etag: str) -> bool:
    """Whether this proxy (or another instance of it) made the tag."""
    return etag.removeprefix("W/").startswith(OWN_ETAG_PREFIX)
