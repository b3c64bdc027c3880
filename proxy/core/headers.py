"""Which fields go how far, and the grammar of lists (RFC 9110 sections 5.6 and 7.6.1)."""

from __future__ import annotations

from typing import Final

from proxy.core.fields import Fields

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that never cross this proxy (RFC 9110 section 7.6.1, RFC 9111 section 3.1)."""

NOT_STORED: Final = HOP_BY_HOP | {"trailer", "cache-status"}
"""Fields that are not part of a stored response: Trailer, as no trailers are stored; Cache-Status, as it tells of the
exchange that brought the response (RFC 9211 section 2)."""

CONNECTION_MAY_NOT_NAME: Final = frozenset(
    {
        "authorization",
        "cache-control",
        "cdn-cache-control",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expires",
        "host",
        "set-cookie",
        "vary",
    }
)
"""Fields meant for every recipient: Connection may not name them (RFC 9110 section 7.6.1), and does so only in attacks
that want a protection removed on the way."""

CONTENT_DIGESTS: Final = frozenset(
    {
        "content-digest",
        "content-md5",
        "digest",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha1",
        "x-amz-checksum-sha256",
    }
)
"""Digests of the content of one message (RFC 9530 section 2, and what S3 and its clients use for it): they hold for
no other content made of it. boto3 fails on one beside a 304, or beside a part."""

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
