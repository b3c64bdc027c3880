"""What is the same in many responses of the backend, and their changing values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from veneer.core.field_table import HOP_BY_HOP, Use, fields_with
from veneer.core.fields import Fields, Pair, shared_line
from veneer.core.headers import is_token
from veneer.core.invalidating import GROUP_FIELD, INVALIDATE_FIELD
from veneer.core.messages import ResponseHead
from veneer.core.tags import TAG_FIELDS
from veneer.fastpath.pattern import Pattern, Values, is_printable_ascii
from veneer.http1.grammar import (
    CRLF,
    HEAD_END,
    MAX_PLAIN_HEAD_BYTES,
    PRINTABLE,
    lines_named,
    says_keep_alive,
    status_line,
)

PER_RESPONSE: Final = (
    *TAG_FIELDS,
    "cf-ray",
    "content-length",
    "date",
    "etag",
    "last-modified",
    "server-timing",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-b3-traceid",
    "x-correlation-id",
    "x-runtime",
    "x-trace-id",
)
"""Fields whose values differ from response to response, and on which nothing depends that is remembered here."""

UNSUPPORTED: Final = fields_with(Use.HOP | Use.ONCE) - {"connection"}
"""Fields that mean something for this exchange alone: not for the fast path."""

NAMING: Final = (GROUP_FIELD, INVALIDATE_FIELD, "location")
"""Fields of a response to a write that name what it has changed: `named_by` is asked of each response anew."""


class ResponseKind:
    """Which responses are answered here: those with these statuses, and the fields whose values may differ."""

    __slots__ = ("changing", "statuses", "unsupported")

    def __init__(self, statuses: frozenset[int], names: tuple[str, ...]) -> None:
        self.statuses: Final = statuses
        self.changing: Final = lines_named(names)
        self.unsupported: Final = UNSUPPORTED - set(names)


OF_MISSES: Final = ResponseKind(frozenset({200}), PER_RESPONSE)
OF_WRITES: Final = ResponseKind(frozenset({200, 201, 202, 204}), (*PER_RESPONSE, *NAMING))
MAX_BODY_BYTES: Final = 64 * 1024
"""A larger body hardly comes in one piece."""
_LENGTH_OR_CHUNKED: Final = re.compile(rb"\r\n(?i:content-length: *(\d{1,18})|transfer-encoding:)")
_VERSION: Final = b"HTTP/1.1 "
_STATUS_LINE: Final = re.compile(
    b"(?=%b)%b%b" % (_VERSION, status_line(r"\d\d\d", f"{PRINTABLE}*", "1").encode("ascii"), CRLF)
)


class ReadHead(NamedTuple):
    """A response head: its lines, the names of its changing values in lower case, these, and the texts around them."""

    status: int
    lines: list[bytes]
    names: tuple[str, ...]
    values: Values
    texts: tuple[bytes, ...]


def read(raw: bytes, kind: ResponseKind = OF_MISSES) -> ReadHead | None:
    """The plain head at the beginning of a response of this kind; None for anything else.

    That is not an error.
    """
    end = raw.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES)
    if end < 0:
        return None
    head = raw[: end + 2]
    parts = kind.changing.split(head)
    names = tuple(part[2:].partition(b":")[0].decode("ascii").lower() for part in parts[1::3])
    lines = head.splitlines(keepends=True)
    status = _status_of(lines[0])
    if not head.isascii() or len(set(names)) != len(names) or status not in kind.statuses:
        return None
    seen: set[str] = set()
    for line in lines[1:]:
        spelt, colon, value = line[:-2].partition(b": ")
        name = spelt.decode("ascii").lower()
        plain = line.endswith(b"\r\n") and colon and is_token(name) and is_trimmed_ascii(value)
        if not plain or name in kind.unsupported or name in seen:
            return None
        if name == "connection" and not says_keep_alive(value.decode("ascii")):
            return None
        seen.add(name)
    if "date" not in names or ("content-length" not in names and status != 204):
        return None
    texts = [text + name for text, name in zip(parts[::3], [*parts[1::3], b"\r\n"], strict=True)]
    return ReadHead(status, lines, names, parts[2::3], tuple(texts))


def _status_of(line: bytes) -> int:
    """The status in a plain status line, 0 where it is none."""
    return int(line[len(_VERSION) : len(_VERSION) + 3]) if _STATUS_LINE.fullmatch(line) else 0


def is_trimmed_ascii(value: bytes) -> bool:
    """Whether a value is there, in visible ASCII, without whitespace around it."""
    return is_printable_ascii(value) and value != b"" and value[0] != 0x20 and value[-1] != 0x20


def _is_path(reference: bytes) -> bool:
    return reference.startswith(b"/") and not reference.startswith(b"//")


class ResponseHeadShape(Pattern):
    """A response head without its changing values, named by `texts`, which are those around them.

    `length` and `etag` are the places of Content-Length and ETag among the values, -1 where there is none. Where none
    of the values names what a write has changed, all such heads are alike in that, and `unnaming` is one of them.
    """

    __slots__ = (
        "_clean",
        "_joined",
        "_lines",
        "_location",
        "_made_of",
        "_slots",
        "etag",
        "length",
        "reason",
        "status",
        "texts",
        "unnaming",
    )

    def __init__(self, reading: ReadHead) -> None:
        self.status, lines, names, values, self.texts = reading
        super().__init__(list(self.texts), [b"\r\n" for _ in names])
        self.length = names.index("content-length") if "content-length" in names else -1
        self.etag = names.index("etag") if "etag" in names else -1
        self._location = names.index("location") if "location" in names else -1
        self.reason = lines[0][len(_VERSION) + 4 : -2].decode("ascii")
        self._clean = [b"" for _ in names]
        came = [line[:-2].decode("ascii").partition(": ") for line in lines[1:]]
        kept = [(spelt, value) for spelt, _, value in came if spelt.lower() not in HOP_BY_HOP]
        order = [spelt.lower() for spelt, _ in kept]
        fields = Fields(kept).shared()
        self._lines = cast("list[Sequence[str]]", list(fields.pairs))  # as pairs, compiled, they would be made anew
        self._joined = dict(fields.joined)
        self._made_of = [b"" for _ in names]
        self._slots = [(order.index(name), kept[order.index(name)][0], name) for name in names]
        names_nothing = frozenset(NAMING).isdisjoint(names)
        self.unnaming = ResponseHead(self.status, self.reason, self.fields(values)) if names_nothing else None

    def are_clean(self, values: Values) -> bool:
        """Whether each value is clean. Most are those of the last response, which were.

        A Location is if it is a path: one with an origin is another one where that is the backend's
        (core.forwarding.located).
        """
        clean = self._clean
        for number, value in enumerate(values):
            if value != clean[number]:
                if not is_trimmed_ascii(value) or (number == self._location and not _is_path(value)):
                    return False
                clean[number] = value
        return True

    def fields(self, values: Values) -> Fields:
        """The fields of a response with these values. Lines that are those of the last one are not made anew."""
        lines, joined, made_of = self._lines, self._joined, self._made_of
        for number, (line, spelt, name) in enumerate(self._slots):
            value = values[number]
            if value != made_of[number]:
                made_of[number] = value
                text = joined[name] = value.decode("ascii")
                lines[line] = shared_line((spelt, text))
        return Fields(cast("list[Pair]", lines), dict(joined), shared=True)


def streams(raw: bytes) -> bool:
    """Whether a response that begins so is chunked, or longer than what is answered here."""
    found = _LENGTH_OR_CHUNKED.search(raw, 0, raw.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES) + 1)
    return found is not None and (found[1] is None or int(found[1]) > MAX_BODY_BYTES)
