"""Responses of the backend by their shape: how one that looks like an earlier one is answered."""

from __future__ import annotations

import re
from typing import Final

from proxy.app.lane.pattern import Pattern, Values, is_plain
from proxy.app.observe.repeats import Facts
from proxy.core.fields import Fields, Pair
from proxy.core.headers import HOP_BY_HOP, is_token
from proxy.core.outcome import Reason

END: Final = b"\r\n\r\n"
MAX_HEAD_BYTES = 8 * 1024
MAX_REPLIES = 64
"""Shapes of response remembered for one way to a backend."""

CHANGING = (
    "cache-groups",
    "cache-tag",
    "cf-ray",
    "content-length",
    "date",
    "etag",
    "last-modified",
    "server-timing",
    "surrogate-key",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-b3-traceid",
    "x-correlation-id",
    "x-runtime",
    "x-trace-id",
)
"""Fields whose values differ from response to response, and on which nothing depends that is remembered here."""

TAGGING = frozenset({"cache-groups", "cache-tag", "surrogate-key"})

NOT_PLAIN = (HOP_BY_HOP - {"connection"}) | {
    "age",
    "cache-group-invalidation",
    "cache-status",
    "content-range",
    "no-vary-search",
    "set-cookie",
    "set-cookie2",
    "trailer",
    "via",
    "warning",
    "x-cache-invalidate",
    "x-request-id",
    "x-response-time",
}
"""Fields that mean something for this exchange alone: not for the lane."""

OWN = frozenset({"cache-status", "vary", "via", "x-request-id"})
"""Fields of an answer that this proxy adds or adds to, the same for all alike."""

PRIVATE = frozenset(
    reason.value for reason in (Reason.AUTHORIZATION, Reason.CACHE_OFF, Reason.NO_STORE, Reason.PRIVATE)
)
"""Why a response is not stored, where no value of CHANGING can make a difference."""

REMEMBERED = PRIVATE - {Reason.CACHE_OFF.value}
"""Those for which later requests of the key do not wait for each other (core.storability)."""

_CHANGING_LINE = re.compile(rb"(\r\n(?i:" + b"|".join(name.encode() for name in CHANGING) + rb"): )([^\r\n]*)(?=\r\n)")
_STATUS = b"HTTP/1.1 200 "
_STATUS_LINE = re.compile(_STATUS + rb"[ -~]*\r\n")
_SERVED = re.compile(
    rb"(.*\r\nX-Request-ID: )[^\r]*\r\nX-Response-Time: [^\r]*\r\n"
    rb"(?:RateLimit-Policy: [^\r]*\r\nRateLimit: [^\r]*\r\n)?\r\n",
    re.DOTALL,
)


class Reading:
    """A response head, and the texts around its changing values. `names` are theirs, in lower case."""

    __slots__ = ("fields", "lines", "names", "pattern", "reason", "slots", "texts", "values")

    def __init__(self, lines: list[bytes], texts: list[bytes], names: tuple[str, ...], values: Values) -> None:
        self.lines = lines
        pairs: list[Pair] = []
        for line in lines[1:]:
            spelt, _, value = line[:-2].decode("ascii").partition(": ")
            if spelt.lower() not in HOP_BY_HOP:
                pairs.append((spelt, value))
        self.fields = Fields(pairs).shared()
        order = [spelt.lower() for spelt, _ in pairs]
        self.slots = [(order.index(name), pairs[order.index(name)][0], name) for name in names]
        """Of each value: its line among the fields, and the field's name as spelt there and in lower case."""
        self.reason = lines[0][len(_STATUS) : -2].decode("ascii")
        self.texts = texts
        self.names = names
        self.values = values
        self.pattern = Pattern(texts, [b"\r\n" for _ in names])


def read(octets: bytes) -> Reading | None:
    """The plain head, of a 200, at the beginning of a response; None for anything else, which is not an error."""
    end = octets.find(END, 0, MAX_HEAD_BYTES)
    if end < 0:
        return None
    head = octets[: end + 2]
    parts = _CHANGING_LINE.split(head)
    names = tuple(part[2:-2].decode("ascii").lower() for part in parts[1::3])
    lines = head.splitlines(keepends=True)
    if not head.isascii() or len(set(names)) != len(names) or not _STATUS_LINE.fullmatch(lines[0]):
        return None
    seen: set[str] = set()
    for line in lines[1:]:
        spelt, colon, value = line[:-2].decode("ascii").partition(": ")
        name = spelt.lower()
        plain = line.endswith(b"\r\n") and colon and is_token(spelt) and is_clean(value.encode("ascii"))
        if not plain or name in NOT_PLAIN or name in seen:
            return None
        if name == "connection" and value.lower() != "keep-alive":
            return None
        seen.add(name)
    if "date" not in names or "content-length" not in names:
        return None
    between = [text + name for text, name in zip(parts[::3], [*parts[1::3], b"\r\n"], strict=True)]
    return Reading(lines, between, names, parts[2::3])


def is_clean(value: bytes) -> bool:
    """Whether a value is there, in visible ASCII, without whitespace around it."""
    return is_plain(value) and value != b"" and value[0] != 0x20 and value[-1] != 0x20


class AnswerHead:
    """An answer's head: `texts` with values at `places` between, up to that of X-Request-ID. The proxy's own end it."""

    __slots__ = ("places", "texts")

    def __init__(self, texts: list[bytes], places: list[int]) -> None:
        self.texts = texts
        self.places = places

    def begin(self, values: Values) -> bytes:
        """The head up to the value of X-Request-ID."""
        texts = self.texts
        pieces = [texts[0]]
        for number, place in enumerate(self.places, 1):
            pieces.append(values[place])
            pieces.append(texts[number])
        return b"".join(pieces)


class Reply:
    """What answers responses of one shape.

    `stores` tells whether they were stored, `remembered` whether the key is known not to be. `length` is
    the place of Content-Length among the values. Where it `makes_etag`, the entity tag made of the body comes after
    these.
    """

    __slots__ = (
        "_clean",
        "_fields",
        "_slots",
        "facts",
        "head",
        "length",
        "makes_etag",
        "pattern",
        "reason",
        "remembered",
        "stores",
    )

    def __init__(self, reading: Reading, head: AnswerHead, facts: Facts, refusal: str, *, makes_etag: bool) -> None:
        self.pattern = reading.pattern
        self.length = reading.names.index("content-length")
        self.reason = reading.reason
        self.head = head
        self.facts = facts
        self.stores = not refusal
        self.remembered = refusal in REMEMBERED
        self.makes_etag = makes_etag
        self._clean = [b"" for _ in reading.names]
        self._fields = reading.fields
        self._slots = reading.slots

    def are_clean(self, values: Values) -> bool:
        """Whether each value is clean. Most are those of the last response, which were."""
        clean = self._clean
        for number, value in enumerate(values):
            if value != clean[number]:
                if not is_clean(value):
                    return False
                clean[number] = value
        return True

    def fields(self, values: Values) -> Fields:
        """The fields of a response with these values."""
        pairs, joined = list(self._fields.pairs), dict(self._fields.joined)
        for number, (line, spelt, name) in enumerate(self._slots):
            value = joined[name] = values[number].decode("ascii")
            pairs[line] = (spelt, value)
        return Fields(pairs, joined)


def reply_of(octets: bytes, served: bytes, facts: Facts, refusal: str, etag: bytes) -> Reply | None:
    """How to answer what looks like `octets`, which were answered with the head `served`; None where that is unclear.

    `refusal` says why the response was not stored, "" where it was. `etag` is the entity tag that this proxy would make
    of the body.
    """
    reading = read(octets)
    found = _SERVED.fullmatch(served)
    if reading is None or found is None or (refusal and not TAGGING.isdisjoint(reading.names)):
        return None
    places: list[int] = []
    texts, made = [b""], -1
    for line in found[1].splitlines(keepends=True):
        name = line.partition(b":")[0].decode("latin-1").lower()
        before, value = line[: len(name) + 2], line[len(name) + 2 : -2]
        if name in reading.names:
            place = reading.names.index(name)
        elif name == "etag" and value == etag:
            place = made = len(reading.names)
        elif name in OWN or line in reading.lines:
            texts[-1] += line
            continue
        else:
            return None
        if value != (etag if place == made else reading.values[place]) or place in places:
            return None
        places.append(place)
        texts[-1] += before
        texts.append(b"\r\n")
    return Reply(reading, AnswerHead(texts, places), facts, refusal, makes_etag=made > 0)


class Replies:
    """What is known of the responses on one way, so much at most."""

    __slots__ = ("_known", "_last", "_tried")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], Reply] = {}
        self._last: Reply | None = None

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, reply: Reply, octets: bytes) -> None:
        """Answer in this way what looks like `octets`."""
        reading = read(octets)
        if reading is None:
            return
        if len(self._known) >= MAX_REPLIES:
            self._known.clear()
        self._known[tuple(reading.texts)] = reply

    def find(self, octets: bytes) -> tuple[Reply, Values] | None:
        """What answers the response that these octets begin, and its values; None where that is not known."""
        last = self._last
        values = None if last is None else last.pattern.values(octets)
        if last is None or values is None:
            reading = read(octets)
            last = None if reading is None else self._known.get(tuple(reading.texts))
            values = None if last is None else last.pattern.values(octets)
            if last is None or values is None:
                return None
            self._last = last
        if last.pattern.stop > MAX_HEAD_BYTES:
            return None
        return (last, values) if last.are_clean(values) else None
