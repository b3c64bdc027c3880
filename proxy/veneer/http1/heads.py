"""Heads, scanned strictly (RFC 9112 sections 2 to 5).

llhttp is not used: it cannot be told that a response answers HEAD, takes bytes past Content-Length for the next
response and drops what it has already read when it refuses. This scan costs the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from veneer.core.field_table import CONNECTION_MAY_NOT_NAME, HOP_BY_HOP, Use, fields_with
from veneer.core.fields import Fields, Pair, lower_name
from veneer.core.messages import ResponseHead
from veneer.core.remembered import memoised
from veneer.http1.framing import MalformedError, announced_length, connection_options, is_chunked, is_length
from veneer.http1.grammar import FIELD_LINE, STATUS_LINE

_REMEMBERED_BYTES: Final = 256
"""Longer lines are read each time."""
_LENGTH: Final = "content-length"
_MEANINGFUL: Final = fields_with(Use.HOP | Use.WRITTEN)
_KEEP_ALIVE_TIMEOUT: Final = re.compile(r"(?:^|,)[ \t]*timeout[ \t]*=[ \t]*\"?([0-9]{1,6})", re.IGNORECASE)

# What the lines of a head have to do with framing and the connection, added up.
_NOTHING: Final = 0
_ANNOUNCED: Final = 1  # Content-Length, once
_FRAMED: Final = 2  # as much or more: any other field, or several lengths


# With a way of its own to be made: that of a dataclass runs Python even where the class is compiled.
@dataclass(init=False, slots=True)
class ParsedHead:
    """A head and what it says about the bytes after it.

    `length` is the announced Content-Length. `coded` is set by any Transfer-Encoding, `chunked` when it is exactly
    "chunked". `idle_s` is the timeout that Keep-Alive tells of.
    """

    head: ResponseHead
    length: int | None
    coded: bool
    chunked: bool
    persistent: bool
    idle_s: int | None

    def __init__(
        self,
        head: ResponseHead,
        length: int | None = None,
        *,
        coded: bool = False,
        chunked: bool = False,
        persistent: bool = True,
        idle_s: int | None = None,
    ) -> None:
        self.head = head
        self.length = length
        self.coded = coded
        self.chunked = chunked
        self.persistent = persistent
        self.idle_s = idle_s

    def saying(self, head: ResponseHead) -> ParsedHead:
        """The same message with another head."""
        return ParsedHead(
            head,
            self.length,
            coded=self.coded,
            chunked=self.chunked,
            persistent=self.persistent,
            idle_s=self.idle_s,
        )


class _Line:
    """A field line, read: the pair that it is, its name in lower case, and what it has to do with framing."""

    __slots__ = ("framing", "length", "name", "pair", "value")

    def __init__(self, spelt: str, value: str) -> None:
        self.name: Final = lower_name(spelt)
        self.value: Final = value
        self.length: Final = int(value) if self.name == _LENGTH and is_length(value) else -1
        self.pair: Final[object] = (spelt, value)  # as a Pair, compiled, each reader would get another
        self.framing: Final = (
            (_ANNOUNCED if self.name == _LENGTH else _FRAMED) if self.name in _MEANINGFUL else _NOTHING
        )


def _read_line(text: str) -> _Line | None:
    """A line without its CRLF; None where it is no field line."""
    match = FIELD_LINE.fullmatch(text)
    return None if match is None else _Line(match[1], match[2])


_known_line: Final = memoised(_read_line, 4096)
"""Most lines of a head are those of other heads: read once, they share one pair."""


def parse_fields(block: str, max_fields: int) -> Fields:
    """The fields in the lines of `block`, which ends with CRLF or is empty.

    Raises MalformedError on anything but `name: value` lines: folded lines, space before the colon, control
    characters, bare CR or LF, too many lines.
    """
    return _scan(block, max_fields)[0]


def _scan(block: str, max_fields: int) -> tuple[Fields, int, int]:
    """As `parse_fields`, with what the lines have to do with framing, and the length that is announced alone or -1."""
    lines = block.split("\r\n")
    if lines.pop():
        raise MalformedError("a field line is malformed")
    if len(lines) > max_fields:
        msg = f"{len(lines)} field lines; at most {max_fields} are taken"
        raise MalformedError(msg)
    pairs: list[object] = []
    joined: dict[str, str] = {}
    framing, length = _NOTHING, -1
    for text in lines:
        line = _known_line(text) if len(text) <= _REMEMBERED_BYTES else _read_line(text)
        if line is None:
            raise MalformedError("a field line is malformed")
        pairs.append(line.pair)
        joined[line.name] = line.value
        if line.framing != _NOTHING:
            framing += line.framing
            length = line.length
    once = len(joined) == len(pairs)
    return Fields(cast("list[Pair]", pairs), joined if once else None), framing, length


def parse_trailers(raw: bytes, max_fields: int) -> Fields:
    """Trailer fields less those that would speak about framing or the connection (RFC 9110 section 6.5.1).

    Raises MalformedError.
    """
    return parse_fields(raw.decode("latin-1"), max_fields).without(_MEANINGFUL)


def parse_head(raw: bytes, max_fields: int) -> ParsedHead:
    """The head in `raw`: status line and field lines, each with its CRLF, without the empty line.

    Raises MalformedError.
    """
    first, _, block = raw.decode("latin-1").partition("\r\n")
    status_line = _known_status_line(first) if len(first) <= _REMEMBERED_BYTES else _read_status_line(first)
    if status_line is None:
        msg = f"not a status line of HTTP/1.x: {raw[:40]!r}"
        raise MalformedError(msg)
    minor, status, reason = status_line
    fields, framing, length = _scan(block, max_fields)
    head = ResponseHead(status, reason, fields)
    if framing == _NOTHING:
        return ParsedHead(head, persistent=minor != "0")
    if framing == _ANNOUNCED and length >= 0:
        return ParsedHead(head, length, persistent=minor != "0")
    return _with_framing(head, minor)


def _read_status_line(line: str) -> tuple[str, int, str] | None:
    """The minor version, status and reason of a line without its CRLF; None where it is no status line."""
    match = STATUS_LINE.fullmatch(line)
    return None if match is None else (match[1], int(match[2]), match[3] or "")


_known_status_line: Final = memoised(_read_status_line, 256)


def _with_framing(head: ResponseHead, minor: str) -> ParsedHead:
    fields = head.fields
    lengths = fields.lines("content-length")
    length = announced_length(lengths) if lengths else None
    codings = fields.lines("transfer-encoding")
    chunked = is_chunked(codings, minor, length) if codings else False
    options = connection_options(fields.lines("connection"))
    drop = HOP_BY_HOP | (options - CONNECTION_MAY_NOT_NAME)
    kept = fields.without(drop if head.status != 101 else drop - {"upgrade"})
    if len(lengths) > 1 or any("," in value for value in lengths):
        kept = kept.replaced("Content-Length", str(length))
    return ParsedHead(
        ResponseHead(head.status, head.reason, kept),
        length,
        coded=bool(codings),
        chunked=chunked,
        persistent="close" not in options and (minor != "0" or "keep-alive" in options),
        idle_s=_idle_s(fields.first("keep-alive")),
    )


def _idle_s(keep_alive: str | None) -> int | None:
    match = None if keep_alive is None else _KEEP_ALIVE_TIMEOUT.search(keep_alive)
    return None if match is None else int(match[1])
