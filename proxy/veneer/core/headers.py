"""Which fields go how far, and the grammar of lists (RFC 9110 sections 5.6 and 7.6.1)."""

from __future__ import annotations

from typing import Final

from veneer.core.field_table import CONNECTION_MAY_NOT_NAME, HOP_BY_HOP
from veneer.core.fields import Fields

NOT_STORED: Final = HOP_BY_HOP | {"trailer", "cache-status"}
"""Fields that are not part of a stored response: Trailer, as no trailers are stored; Cache-Status, as it tells of the
exchange that brought the response (RFC 9211 section 2)."""

TOKEN_CHARACTERS: Final = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""tchar (RFC 9110 section 5.6.2)."""

OWS: Final = " \t"


def is_token(text: str) -> bool:
    """Whether `text` is a token (RFC 9110 section 5.6.2)."""
    return bool(text) and TOKEN_CHARACTERS.issuperset(text)


def end_to_end(fields: Fields, drop: frozenset[str] = HOP_BY_HOP) -> Fields:
    """The fields that go on: less the hop-by-hop ones and those that Connection names (RFC 9110 section 7.6.1).

    `drop` are the hop-by-hop ones and what else is not wanted.
    """
    connection = fields.joined.get("connection")
    if connection is not None:
        named = {option.lower() for option in split_list(connection)}
        drop = drop | (named - CONNECTION_MAY_NOT_NAME)
    return fields.without(drop)


def essence(content_type: str) -> str:
    """The type and subtype of a Content-Type in lower case, without its parameters (RFC 9110 section 8.3.1)."""
    return content_type.partition(";")[0].strip(OWS).lower()


def split_list(value: str) -> list[str]:
    """The members of a comma-separated list, without surrounding whitespace and without empty ones (section 5.6.1).

    Commas inside quoted strings do not separate. A quote that is never closed is an ordinary character: what follows
    it, perhaps a `no-store`, must not disappear.
    """
    if '"' not in value:
        return [member for part in value.split(",") if (member := part.strip(OWS))]
    return [member for part in split_quoted(value, ",") if (member := part.strip(OWS))]


def split_quoted(value: str, separator: str) -> list[str]:
    """`value` cut at each `separator` that is outside quoted strings (RFC 9110 section 5.6.4)."""
    parts: list[str] = []
    start = opened = 0
    quoted = escaped = False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted, opened = True, at
        elif char == separator:
            parts.append(value[start:at])
            start = at + 1
    if not quoted:
        return [*parts, value[start:]]
    first, *rest = value[opened:].split(separator)
    return [*parts, value[start:opened] + first, *rest]


def unquote(text: str) -> str | None:
    """The content of a quoted-string, or None if `text` is not exactly one (RFC 9110 section 5.6.4)."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    content: list[str] = []
    escaped = False
    for char in text[1:-1]:
        if escaped:
            content.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            return None
        else:
            content.append(char)
    return None if escaped else "".join(content)
