"""What the lines of many exchanges have in common, found in the line of one of them."""

from __future__ import annotations

import msgspec

from veneer.pipeline.exchange import ExchangeRecord

VARYING = (
    "request_id",
    "client",
    "path",
    "duration_ms",
    "query",
    "bytes_in",
    "bytes_out",
    "bytes_identity",
    "upstream_ms",
    "rate_remaining",
    "user_agent",
)
"""Members that differ from exchange to exchange, in the order of the line. So does the time, which begins it."""

Pattern = tuple[bytes, ...]
"""What stands before each of VARYING, and after the last; nothing before those that the line leaves out."""

encode = msgspec.json.Encoder().encode


def pattern_of(record: ExchangeRecord) -> Pattern:
    """The pattern of a record's line.

    A quote within a JSON text is escaped, so that a member's name in quotes with its colon is found nowhere else.
    """
    line = encode(record)
    line = line[line.index(b",") :]
    pattern: list[bytes] = []
    for name in VARYING:
        before, member, after = line.partition(b'"%b":' % name.encode("ascii"))
        if not member:
            pattern.append(b"")
            continue
        value = encode(getattr(record, name))
        quote = value[:1] if value.startswith(b'"') else b""
        pattern.append(before + member + quote)
        line = after[len(value) - len(quote) :]
    return (*pattern, line + b"\n")
