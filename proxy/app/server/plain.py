"""Plain requests: one whole request in one segment, with nothing in it that has to do with framing or connections.

Most requests are like that, and reading them takes one regular expression. Whatever is not certainly plain is left to
aiohttp's parser, with the same octets: this scan refuses nothing, and accepts nothing that aiohttp would refuse.
"""

from __future__ import annotations

import re

from proxy.core.fields import Fields
from proxy.core.record import record
from proxy.upstream.head import MalformedError, scan_fields

_REQUEST_LINE = re.compile(r'(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!"$-~]*) HTTP/1\.1\r\n')
_NOT_PLAIN = frozenset(
    {"expect", "http2-settings", "sec-websocket-key1", "te", "trailer", "transfer-encoding", "upgrade"}
)
_MAX_HEAD_BYTES = 8 * 1024


@record
class PlainRequest:
    """A request of HTTP/1.1 as it came: its target in origin form, and the whole of its content, b"" for none."""

    method: str
    target: str
    fields: Fields
    content: bytes


def read_plain(data: bytes, max_target_bytes: int, max_fields: int) -> PlainRequest | None:
    """The request if `data` is exactly one plain one; None for anything else, which is not an error."""
    end = data.find(b"\r\n\r\n", 0, _MAX_HEAD_BYTES)
    text = data[: end + 2].decode("latin-1") if end != -1 else ""
    line = _REQUEST_LINE.match(text)
    if line is None or line.end(2) - line.start(2) > max_target_bytes:
        return None
    try:
        fields = Fields(scan_fields(text[line.end() :], max_fields))
    except MalformedError:
        return None
    content = data[end + 4 :]
    return PlainRequest(line[1], line[2], fields, content) if _are_plain(fields, len(content)) else None


def _are_plain(fields: Fields, content_bytes: int) -> bool:
    """Whether no field comes twice, all are understood, and exactly the content that they announce is there."""
    said = fields.joined
    return (
        len(said) == len(fields.pairs)
        and "host" in said
        and _NOT_PLAIN.isdisjoint(said)
        and said.get("connection", "keep-alive").lower() == "keep-alive"
        and said.get("content-length") == (str(content_bytes) if content_bytes else None)
    )
