"""Plain requests: one whole request in one segment, with nothing in it that has to do with framing or connections.

Most requests are like that, and reading them takes one regular expression. Whatever is not certainly plain is left to
aiohttp's parser, with the same bytes: this scan refuses nothing, and accepts nothing that aiohttp would refuse.
"""

from __future__ import annotations

import re
from typing import Final, cast

from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields
from veneer.core.record import fast_struct
from veneer.core.remembered import memoised
from veneer.http1.framing import MalformedError
from veneer.http1.grammar import CRLF, HEAD_END, MAX_PLAIN_HEAD_BYTES, request_line, says_keep_alive
from veneer.http1.heads import parse_fields

_REQUEST_LINE: Final = re.compile(
    request_line("GET|HEAD|POST|PUT|PATCH|DELETE", '/[!"$-~]*', "1").encode("ascii") + CRLF
)
_NOT_PLAIN: Final = fields_with(Use.FRAMING)


@fast_struct
class PlainRequest:
    """A request of HTTP/1.1 as it came: its target in origin form, and the whole of its content, b"" for none."""

    method: str
    target: str
    fields: Fields
    content: bytes


def read_plain(data: bytes, max_target_bytes: int, max_fields: int) -> PlainRequest | None:
    """The request if `data` is exactly one plain one; None for anything else, which is not an error."""
    end = data.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES)
    line = _REQUEST_LINE.match(data) if end != -1 else None
    if line is None:
        return None
    method, target = cast("tuple[bytes, bytes]", line.group(1, 2))
    fields = _known_fields(data[line.end() : end + 2])
    if fields is None or len(fields.pairs) > max_fields or len(target) > max_target_bytes:
        return None
    content = data[end + 4 :]
    if fields.joined.get("content-length") != (str(len(content)) if content else None):
        return None
    return PlainRequest(method.decode("ascii"), target.decode("ascii"), fields, content)


def _plain_fields(block: bytes) -> Fields | None:
    """The fields in these lines; None where they are not plain."""
    try:
        fields = parse_fields(block.decode("latin-1"), MAX_PLAIN_HEAD_BYTES)
    except MalformedError:
        return None
    return fields if _are_plain(fields) else None


_known_fields: Final = memoised(_plain_fields, 512)
"""A client sends the same lines with one request after another: read once, they are the same `Fields`, which remembers
what was worked out of it."""


def _are_plain(fields: Fields) -> bool:
    """Whether no field comes twice, and all are understood; the length that they announce is looked at elsewhere."""
    said = fields.joined
    return (
        len(said) == len(fields.pairs)
        and "host" in said
        and _NOT_PLAIN.isdisjoint(said)
        and ("connection" not in said or says_keep_alive(said["connection"]))
    )
