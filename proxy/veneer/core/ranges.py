"""Range requests on complete and on partial stored responses (RFC 9110 section 14, RFC 9111 sections 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from veneer.core.dates import moment_of
from veneer.core.entry import ByteSpan, Entry
from veneer.core.field_table import Use, fields_with
from veneer.core.fields import Fields
from veneer.core.messages import BytesLike, RequestHead
from veneer.core.range_fields import RangeSpec, parse_range
from veneer.core.validators import etag_of, is_etag, strong_match

MAX_PARTS: Final = 16
"""More ranges than this, after joining those that overlap, are answered with the whole (section 14.2)."""

COPIED_BYTES: Final = 32 * 1024
"""A part of at most this length is a copy: it leaves in one piece with its head."""

PART_OVERHEAD_BYTES: Final = 80
"""What one part costs beside its content: gaps smaller than this are not worth a part of their own (section 15.3.7)."""


OF_THE_CONTENT: Final = fields_with(Use.CONTENT | Use.DIGEST)
"""Fields about the bytes of one message, not of the representation: a part has its own (RFC 9530 section 2)."""


@dataclass(frozen=True, slots=True)
class FullBody:
    """No range applies: answer with the representation as a whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """One range of the representation, bytes `first` to `last` inclusive of `complete` (None if unknown)."""

    first: int
    last: int
    complete: int | None

    @property
    def content_range(self) -> str:
        """The value of Content-Range (section 14.4)."""
        return f"bytes {self.first}-{self.last}/{'*' if self.complete is None else self.complete}"

    @property
    def length(self) -> int:
        """Bytes in the part."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Parts:
    """Several ranges, to be sent as multipart/byteranges (section 15.3.7.2)."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored 206 answers a request with the same Range field: send it as it is."""


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """416: none of the ranges overlaps the representation's `complete` bytes (section 15.5.17)."""

    complete: int

    @property
    def content_range(self) -> str:
        """The value of Content-Range in the 416."""
        return f"bytes */{self.complete}"


RangeAnswer = FullBody | Part | Parts | Replay | Unsatisfiable


def answer_range(request: RequestHead, status: int, fields: Fields, length: int) -> RangeAnswer:
    """How a GET with Range is answered from a complete response of `length` bytes.

    `fields` are the response's as they would be sent, with the entity tag of the chosen coding: If-Range is compared
    with it. Anything but a 200 to GET, and a Range that is malformed or no longer applies, is answered with the whole.
    """
    specs = _applicable(request, status, fields)
    if specs is None:
        return FullBody()
    found = [part for spec in specs if (part := _resolve(spec, length)) is not None]
    if not found:
        return FullBody() if length == 0 and any(_asks_for_all(spec) for spec in specs) else Unsatisfiable(length)
    joined = _join(found)
    if len(joined) == 1:
        return joined[0]
    if len(joined) > MAX_PARTS or sum(part.length + PART_OVERHEAD_BYTES for part in joined) >= length:
        return FullBody()
    return Parts(tuple(joined))


def _applicable(request: RequestHead, status: int, fields: Fields) -> list[RangeSpec] | None:
    if status != 200 or request.method != "GET" or "range" not in request.fields:
        return None
    specs = parse_range(request.fields.get("range"))
    return specs if specs is not None and if_range_holds(request.fields, fields) else None


def if_range_holds(request_fields: Fields, fields: Fields) -> bool:
    """Whether If-Range is absent or names the response's strong validator (RFC 9110 section 13.1.5)."""
    value = request_fields.get("if-range")
    if value is None:
        return True
    if is_etag(value):
        etag = etag_of(fields)
        return etag is not None and strong_match(value, etag)
    modified, date = fields.get("last-modified"), fields.get("date")
    if modified is None or value != modified or date is None:
        return False
    # a date is a strong validator only if the response was made at least a second after it (section 8.8.2.2)
    made = moment_of(fields, "date", 0.0)
    moment = None if made is None else moment_of(fields, "last-modified", made)
    return made is not None and moment is not None and made - moment >= 1


def _resolve(spec: RangeSpec, length: int) -> Part | None:
    """The range within `length` bytes; None if it does not overlap (section 14.1.2)."""
    if spec.first is None:
        wanted = min(spec.last or 0, length)
        return Part(length - wanted, length - 1, length) if wanted else None
    if spec.first >= length:
        return None
    last = length - 1 if spec.last is None else min(spec.last, length - 1)
    return Part(spec.first, last, length)


def _asks_for_all(spec: RangeSpec) -> bool:
    """Whether the range means all of an empty representation, for which no Content-Range exists: the 200 says it.

    A suffix that is not empty is satisfiable whatever the length (section 14.1.2). "From the first byte on" is not; but
    to ignore a range is allowed (section 14.2), and clients that ask so for everything expect it.
    """
    return bool(spec.last) if spec.first is None else spec.first == 0 and spec.last is None


def _join(parts: Sequence[Part]) -> list[Part]:
    """Parts that overlap or nearly touch joined; the order of the request kept where nothing was joined."""
    if len(parts) == 1:
        return list(parts)
    ordered = sorted(parts, key=lambda part: part.first)
    joined = [ordered[0]]
    for part in ordered[1:]:
        before = joined[-1]
        if part.first <= before.last + 1 + PART_OVERHEAD_BYTES:
            joined[-1] = Part(before.first, max(before.last, part.last), before.complete)
        else:
            joined.append(part)
    return list(parts) if len(joined) == len(parts) else joined


# ---------------------------------------------------------------- stored parts


def answer_from_partial(entry: Entry, request: RequestHead) -> Part | Replay | None:
    """What of a stored 206 answers `request`; None if it does not suffice (RFC 9111 section 3.3)."""
    span = entry.span
    asked = request.fields.get("range")
    if span is None or asked is None or request.method != "GET" or not if_range_holds(request.fields, entry.fields):
        return None
    specs = parse_range(asked)
    if specs is None or len(specs) != 1:
        return None
    if span.asked == asked:
        return Replay()
    spec = specs[0]
    if span.complete is None:
        if spec.first is None or spec.last is None:
            return None
        part: Part | None = Part(spec.first, spec.last, None)
    else:
        part = _resolve(spec, span.complete)
    return part if part is not None and span.first <= part.first and part.last <= span.last else None


def can_answer(entry: Entry, request: RequestHead) -> bool:
    """Whether the stored part suffices for `request`."""
    return answer_from_partial(entry, request) is not None


def slice_of(entry: Entry, part: Part) -> BytesLike:
    """The bytes of `part` out of a complete or partial entry; a large part is a view of the entry's body."""
    if entry.span is None:
        return _cut(entry.body, part.first, part.last + 1)
    offset = entry.span.first
    if part.last == entry.span.last and part.first > offset and len(entry.body) < entry.span.last - offset + 1:
        return _from_short_body(entry.body, part, offset)
    return _cut(entry.body, part.first - offset, part.last + 1 - offset)


def _cut(body: bytes, first: int, end: int) -> BytesLike:
    """A copy of what is small; of what is large, many copies would take more memory than what is stored."""
    return body[first:end] if end - first <= COPIED_BYTES else memoryview(body)[first:end]


def _from_short_body(body: bytes, part: Part, offset: int) -> bytes:
    """Out of a trusted 206 whose body is shorter than it says (`trust_short_partial`): suffixes count from the end."""
    return body[part.first - offset :] or body[-part.length :]


def completion_range(entry: Entry, request: RequestHead) -> str | None:
    """The Range that fetches what follows the stored beginning, for a GET without Range (RFC 9111 section 3.3)."""
    span = entry.span
    if span is None or span.first != 0 or request.method != "GET" or "range" in request.fields:
        return None
    if len(entry.body) != span.last + 1:
        return None
    return f"bytes={span.last + 1}-"


def combine(stored: Entry, fetched: Entry) -> Entry | None:
    """Two parts as one, if both carry the same strong entity tag and touch or overlap (RFC 9111 section 3.4).

    The fields of the newer response win. The result is a complete 200 when nothing is missing.
    """
    a, b = stored.span, fetched.span
    tag_a, tag_b = etag_of(stored.fields), etag_of(fetched.fields)
    if a is None or b is None or tag_a is None or tag_b is None or not strong_match(tag_a, tag_b):
        return None
    if a.complete is not None and b.complete is not None and a.complete != b.complete:
        return None
    low, high = (stored, fetched) if a.first <= b.first else (fetched, stored)
    joined = _concatenate(low, high)
    if joined is None:
        return None
    body, first, last = joined
    complete = a.complete if a.complete is not None else b.complete
    fields = fetched.fields.without(OF_THE_CONTENT)
    if first == 0 and complete == last + 1:
        return replace(fetched, status=200, reason="OK", fields=fields, body=body, span=None, coded=())
    fields = fields.added(("Content-Range", Part(first, last, complete).content_range))
    return replace(fetched, fields=fields, body=body, span=ByteSpan(first, last, complete), coded=())


def _concatenate(low: Entry, high: Entry) -> tuple[bytes, int, int] | None:
    """Body, first and last byte of two parts that touch or overlap, each as long as it says."""
    a, b = low.span, high.span
    assert a is not None
    assert b is not None
    if len(low.body) != a.last - a.first + 1 or len(high.body) != b.last - b.first + 1 or b.first > a.last + 1:
        return None
    if b.last <= a.last:
        return low.body, a.first, a.last
    return low.body + high.body[a.last + 1 - b.first :], a.first, b.last


# ---------------------------------------------------------------- multipart


def multipart(parts: Sequence[Part], body: bytes, content_type: str | None, boundary: str) -> Iterator[BytesLike]:
    """The content of a multipart/byteranges response (RFC 9110 section 14.6). `boundary` must not occur in `body`."""
    for part in parts:
        head = f"--{boundary}\r\n"
        if content_type is not None:
            head += f"Content-Type: {content_type}\r\n"
        yield f"{head}Content-Range: {part.content_range}\r\n\r\n".encode("latin-1")
        yield _cut(body, part.first, part.last + 1)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("latin-1")


def choose_boundary(body: bytes, seed: str) -> str:
    """A boundary that does not occur in `body`; the same for the same body and seed."""
    number = 0
    while True:
        boundary = f"veneer-{seed}-{number}"
        if boundary.encode("latin-1") not in body:
            return boundary
        number += 1
