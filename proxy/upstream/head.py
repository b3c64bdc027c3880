"""Response heads, scanned strictly (RFC 9112 sections 2 to 6).

llhttp is not used: it cannot be told that a response answers HEAD, takes octets past Content-Length for the next
response and drops what it has already read when it refuses. This scan costs the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from proxy.core.fields import Fields, Pair
from proxy.core.headers import CONNECTION_MAY_NOT_NAME, HOP_BY_HOP
from proxy.core.messages import ResponseHead

_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_FIELD_LINE = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*+"
)
_REMEMBERED_OCTETS = 256
"""Longer lines are read each time."""
_DIGITS = re.compile(r"[0-9]{1,18}")
_NO_OPTIONS: frozenset[str] = frozenset()
_KEEP_ALIVE = frozenset({"keep-alive"})
_LENGTH_ALONE = frozenset({"content-length"})
_MEANINGFUL = HOP_BY_HOP | {"content-length"}


class MalformedError(ValueError):
    """The backend broke HTTP's grammar; the message says where."""


class ParsedHead(Struct, frozen=True):
    """A head and what it says about the octets after it.

    `length` is the announced Content-Length. `coded` is set by any Transfer-Encoding, `chunked` when it is exactly
    "chunked". `upgrade` is the Upgrade field of a 101.
    """

    head: ResponseHead
    length: int | None = None
    coded: bool = False
    chunked: bool = False
    persistent: bool = True
    keep_alive: str | None = None


def scan_fields(block: str, max_fields: int) -> list[Pair]:
    """Every field line of `block`, which ends with CRLF or is empty.

    Raises MalformedError on anything but `name: value` lines: folded lines, space before the colon, control
    characters, bare CR or LF, too many lines.
    """
    lines = block.split("\r\n")
    if lines.pop():
        raise MalformedError("a field line of the response is malformed")
    if len(lines) > max_fields:
        msg = f"{len(lines)} field lines in the response; at most {max_fields} are taken"
        raise MalformedError(msg)
    pairs: list[Pair] = []
    for line in lines:
        pair = _field_line(line) if len(line) <= _REMEMBERED_OCTETS else _read_field_line(line)
        if pair is None:
            raise MalformedError("a field line of the response is malformed")
        pairs.append(pair)
    return pairs


def _read_field_line(line: str) -> Pair | None:
    """Name and value of a line without its CRLF; None where it is no field line."""
    match = _FIELD_LINE.fullmatch(line)
    return None if match is None else (match[1], match[2])


_field_line = lru_cache(maxsize=4096)(_read_field_line)
"""Most lines of a head are those of other heads: read once, they share one pair."""


def parse_trailers(octets: bytes, max_fields: int) -> Fields:
    """Trailer fields less those that would speak about framing or the connection (RFC 9110 section 6.5.1).

    Raises MalformedError.
    """
    pairs = scan_fields(octets.decode("latin-1"), max_fields)
    return Fields(pair for pair in pairs if pair[0].lower() not in _MEANINGFUL)


def parse_head(octets: bytes, max_fields: int) -> ParsedHead:
    """The head in `octets`: status line and field lines, each with its CRLF, without the empty line.

    Raises MalformedError.
    """
    first, _, block = octets.decode("latin-1").partition("\r\n")
    status_line = _status_line(first) if len(first) <= _REMEMBERED_OCTETS else _read_status_line(first)
    if status_line is None:
        msg = f"not a status line of HTTP/1.x: {octets[:40]!r}"
        raise MalformedError(msg)
    minor, status, reason = status_line
    fields = Fields(scan_fields(block, max_fields))
    head = ResponseHead(status, reason, fields)
    meaningful = _MEANINGFUL.intersection(fields.joined)
    if not meaningful:
        return ParsedHead(head, persistent=minor != "0")
    if meaningful == _LENGTH_ALONE and _DIGITS.fullmatch(fields.joined["content-length"]):
        return ParsedHead(head, int(fields.joined["content-length"]), persistent=minor != "0")
    return _with_framing(head, minor, meaningful)


def _read_status_line(line: str) -> tuple[str, int, str] | None:
    """The minor version, status and reason of a line without its CRLF; None where it is no status line."""
    match = _STATUS_LINE.fullmatch(line)
    return None if match is None else (match[1], int(match[2]), match[3] or "")


_status_line = lru_cache(maxsize=256)(_read_status_line)


def _with_framing(head: ResponseHead, minor: str, meaningful: frozenset[str]) -> ParsedHead:
    fields = head.fields
    lengths = fields.lines("content-length")
    length = _length(lengths) if lengths else None
    codings = fields.lines("transfer-encoding")
    chunked = _is_chunked(codings, minor, length) if codings else False
    options = _connection_options(fields.lines("connection")) if "connection" in meaningful else _NO_OPTIONS
    drop = HOP_BY_HOP | (options - CONNECTION_MAY_NOT_NAME)
    kept = fields.without(drop if head.status != 101 else drop - {"upgrade"})
    if len(lengths) > 1 or any("," in value for value in lengths):
        kept = kept.replaced("Content-Length", str(length))
    return ParsedHead(
        ResponseHead(head.status, head.reason, kept),
        length,
        bool(codings),
        chunked,
        persistent="close" not in options and (minor != "0" or "keep-alive" in options),
        keep_alive=fields.first("keep-alive"),
    )


def _length(lines: tuple[str, ...]) -> int:
    """One length from equal ones (RFC 9110 section 8.6)."""
    if len(lines) == 1 and _DIGITS.fullmatch(lines[0]):
        return int(lines[0])
    values = {value.strip(" \t") for line in lines for value in line.split(",")}
    if len(values) != 1:
        msg = f"Content-Length says different things: {', '.join(lines)!r}"
        raise MalformedError(msg)
    value = values.pop()
    if not _DIGITS.fullmatch(value):
        msg = f"Content-Length {value!r} is not a number of octets"
        raise MalformedError(msg)
    return int(value)


def _is_chunked(lines: tuple[str, ...], minor: str, length: int | None) -> bool:
    """Whether the body is chunked; an unknown coding alone is read to the end of the connection.

    RFC 9112 section 6.3, with everything ambiguous refused: Content-Length beside it, HTTP/1.0, chunked among others.
    """
    if length is not None:
        raise MalformedError("both Content-Length and Transfer-Encoding")
    if minor == "0":
        raise MalformedError("Transfer-Encoding in an HTTP/1.0 response")
    codings = [coding.strip(" \t").lower() for line in lines for coding in line.split(",")]
    if codings == ["chunked"]:
        return True
    if any(coding.partition(";")[0].strip(" \t") == "chunked" for coding in codings):
        msg = f"Transfer-Encoding {', '.join(lines)!r} was not asked for"
        raise MalformedError(msg)
    return False


def _connection_options(lines: tuple[str, ...]) -> frozenset[str]:
    if len(lines) == 1 and lines[0].lower() == "keep-alive":
        return _KEEP_ALIVE
    return frozenset(option.strip(" \t").lower() for line in lines for option in line.split(","))
