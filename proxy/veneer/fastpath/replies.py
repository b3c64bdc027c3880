"""Responses of the backend by their shape: how one that looks like an earlier one is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from veneer.core.field_table import HOP_BY_HOP, Use, fields_with
from veneer.core.fields import Fields, Pair, shared_line
from veneer.core.headers import is_token
from veneer.core.outcome import Reason
from veneer.core.storability import PERSISTENT_REASONS
from veneer.core.tags import TAG_FIELDS
from veneer.fastpath.learning import OWN_LINES
from veneer.fastpath.pattern import Pattern, Template, Values, is_printable_ascii
from veneer.http1.grammar import (
    CRLF,
    HEAD_END,
    MAX_PLAIN_HEAD_BYTES,
    PRINTABLE,
    lines_named,
    says_keep_alive,
    status_line,
)
from veneer.observe.repeats import RecordTemplate

MAX_REPLIES: Final = 64
"""Shapes of response remembered for one way to a backend."""

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

ADDED_HERE: Final = frozenset({"cache-status", "vary", "via"})
"""Fields of an answer that this proxy adds or adds to, the same for all alike."""

PRIVATE: Final = frozenset(
    reason.value for reason in (Reason.AUTHORIZATION, Reason.CACHE_OFF, Reason.COOKIE, Reason.NO_STORE, Reason.PRIVATE)
)
"""Why a response is not stored, where no value of PER_RESPONSE can make a difference."""

REMEMBERED: Final = frozenset(reason.value for reason in PERSISTENT_REASONS)

_PER_RESPONSE_LINE: Final = lines_named(PER_RESPONSE)
_STATUS: Final = b"HTTP/1.1 200 "
_STATUS_LINE: Final = re.compile(
    b"(?=%b)%b%b" % (_STATUS, status_line("200", f"{PRINTABLE}*", "1").encode("ascii"), CRLF)
)
_SERVED: Final = re.compile(rb"(.*\r\n)" + OWN_LINES + rb"\r\n", re.DOTALL)


class ReadHead(NamedTuple):
    """A response head: its lines, the names of its changing values in lower case, these, and the texts around them."""

    lines: list[bytes]
    names: tuple[str, ...]
    values: Values
    texts: tuple[bytes, ...]


def read(raw: bytes) -> ReadHead | None:
    """The plain head, of a 200, at the beginning of a response; None for anything else, which is not an error."""
    end = raw.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES)
    if end < 0:
        return None
    head = raw[: end + 2]
    parts = _PER_RESPONSE_LINE.split(head)
    names = tuple(part[2:].partition(b":")[0].decode("ascii").lower() for part in parts[1::3])
    lines = head.splitlines(keepends=True)
    if not head.isascii() or len(set(names)) != len(names) or not _STATUS_LINE.fullmatch(lines[0]):
        return None
    seen: set[str] = set()
    for line in lines[1:]:
        spelt, colon, value = line[:-2].partition(b": ")
        name = spelt.decode("ascii").lower()
        plain = line.endswith(b"\r\n") and colon and is_token(name) and is_trimmed_ascii(value)
        if not plain or name in UNSUPPORTED or name in seen:
            return None
        if name == "connection" and not says_keep_alive(value.decode("ascii")):
            return None
        seen.add(name)
    if "date" not in names or "content-length" not in names:
        return None
    texts = [text + name for text, name in zip(parts[::3], [*parts[1::3], b"\r\n"], strict=True)]
    return ReadHead(lines, names, parts[2::3], tuple(texts))


def is_trimmed_ascii(value: bytes) -> bool:
    """Whether a value is there, in visible ASCII, without whitespace around it."""
    return is_printable_ascii(value) and value != b"" and value[0] != 0x20 and value[-1] != 0x20


class ResponseTemplate:
    """What answers responses of one shape.

    `texts` are those around the values, `head` is the answer's up to the value of X-Request-ID. `stores` tells whether
    they were stored, `remembered` whether the key is known not to be. `length` is the place of Content-Length among the
    values. Where it `makes_etag`, the entity tag made of the body comes after these.
    """

    __slots__ = (
        "_clean",
        "_joined",
        "_lines",
        "_made_of",
        "_slots",
        "facts",
        "head",
        "length",
        "makes_etag",
        "pattern",
        "reason",
        "remembered",
        "stores",
        "texts",
    )

    def __init__(
        self, reading: ReadHead, head: Template, facts: RecordTemplate, refusal: str, *, makes_etag: bool
    ) -> None:
        lines, names, _, self.texts = reading
        self.pattern = Pattern(list(self.texts), [b"\r\n" for _ in names])
        self.length = names.index("content-length")
        self.reason = lines[0][len(_STATUS) : -2].decode("ascii")
        self.head = head
        self.facts = facts
        self.stores = not refusal
        # Where it varies, what it says of a key is for one variant: the pipeline sees to that.
        self.remembered = refusal in REMEMBERED and not any(line.lower().startswith(b"vary:") for line in lines)
        self.makes_etag = makes_etag
        self._clean = [b"" for _ in names]
        came = [line[:-2].decode("ascii").partition(": ") for line in lines[1:]]
        kept = [(spelt, value) for spelt, _, value in came if spelt.lower() not in HOP_BY_HOP]
        order = [spelt.lower() for spelt, _ in kept]
        fields = Fields(kept).shared()
        self._lines = cast("list[Sequence[str]]", list(fields.pairs))  # as pairs, compiled, they would be made anew
        self._joined = dict(fields.joined)
        self._made_of = [b"" for _ in names]
        self._slots = [(order.index(name), kept[order.index(name)][0], name) for name in names]

    def are_clean(self, values: Values) -> bool:
        """Whether each value is clean. Most are those of the last response, which were."""
        clean = self._clean
        for number, value in enumerate(values):
            if value != clean[number]:
                if not is_trimmed_ascii(value):
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


def response_template(
    raw: bytes, served: bytes, facts: RecordTemplate, refusal: str, etag: bytes
) -> ResponseTemplate | None:
    """How to answer what looks like `raw`, which were answered with the head `served`; None where that is unclear.

    `refusal` says why the response was not stored, "" where it was. `etag` is the entity tag that this proxy would make
    of the body.
    """
    reading = read(raw)
    found = _SERVED.fullmatch(served)
    if reading is None or found is None or (refusal and not set(TAG_FIELDS).isdisjoint(reading.names)):
        return None
    head, said = Template(), [*reading.values, etag]
    places = {name: place for place, name in enumerate(reading.names)}
    makes_etag = "etag" not in places and b"\r\nETag: " + etag + b"\r\n" in served
    if makes_etag:
        places["etag"] = len(places)
    for line in found[1].splitlines(keepends=True):
        name = line.partition(b":")[0].decode("latin-1").lower()
        place = places.get(name)
        if place is not None:
            if not head.add_line(line, place, said[place]):
                return None
        elif name in ADDED_HERE or line in reading.lines:
            head.add(line)
        else:
            return None
    head.add(b"X-Request-ID: ")
    return ResponseTemplate(reading, head, facts, refusal, makes_etag=makes_etag)


class ResponseTemplates:
    """What is known of the responses on one way, so much at most."""

    __slots__ = ("_known", "_last")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], ResponseTemplate] = {}
        self._last: ResponseTemplate | None = None

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, reply: ResponseTemplate) -> None:
        """Answer in this way what looks like what it was made of."""
        if len(self._known) >= MAX_REPLIES:
            self._known.clear()
        self._known[reply.texts] = reply

    def find(self, raw: bytes) -> tuple[ResponseTemplate, Values] | None:
        """What answers the response that these bytes begin, and its values; None where that is not known."""
        last = self._last
        values = None if last is None else last.pattern.values(raw)
        if last is None or values is None:
            reading = read(raw)
            last = None if reading is None else self._known.get(reading.texts)
            values = None if last is None else last.pattern.values(raw)
            if last is None or values is None:
                return None
            self._last = last
        if last.pattern.stop > MAX_PLAIN_HEAD_BYTES:
            return None
        return (last, values) if last.are_clean(values) else None
