"""How a response of the backend that looks like an earlier one is answered."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from veneer.core.field_edits import TAGS_HIDDEN, FieldEdits
from veneer.core.negotiation import coded_etag, is_worth_coding
from veneer.core.outcome import Reason
from veneer.core.rules import CodingRules
from veneer.core.storability import PERSISTENT_REASONS, StorageTerms
from veneer.core.tags import TAG_FIELDS
from veneer.fastpath.learning import OWN_LINES
from veneer.fastpath.pattern import Template, Values
from veneer.fastpath.response_shapes import OF_MISSES, ReadHead, ResponseHeadShape, ResponseKind, read
from veneer.http1.grammar import CRLF, MAX_PLAIN_HEAD_BYTES
from veneer.observe.repeats import RecordTemplate

MAX_REPLIES: Final = 64
"""Shapes of response remembered for one way to a backend."""

ADDED_HERE: Final = frozenset({"cache-status", "vary", "via"})
"""Fields of an answer that this proxy adds or adds to, the same for all alike."""
ADDED_TO_CODED: Final = ADDED_HERE | {"content-encoding"}

PRIVATE: Final = frozenset(
    reason.value for reason in (Reason.AUTHORIZATION, Reason.CACHE_OFF, Reason.COOKIE, Reason.NO_STORE, Reason.PRIVATE)
)
"""Why a response is not stored, where no value of PER_RESPONSE can make a difference."""

REMEMBERED: Final = frozenset(reason.value for reason in PERSISTENT_REASONS)

_SERVED: Final = re.compile(rb"(.*\r\n)" + OWN_LINES + rb"(Content-Length: \d+\r\n)?\r\n", re.DOTALL)


class AnsweredMiss(NamedTuple):
    """A response as it came, `raw`, and the head with which it was answered.

    `refusal` says why the response was not stored, "" where it was. `made_etag` is the entity tag that this proxy would
    make of the body as it came.
    """

    raw: bytes
    served: bytes
    refusal: str
    made_etag: str


class ResponseTemplate:
    """What answers responses of one shape, whose bodies are long enough to be coded, or are not.

    `stores` tells whether they were stored, `remembered` whether the key is known not to be; `terms` are those of
    storing one, once they are known and hold for all. `coding` is "" where the body leaves as it came. Where it
    `makes_etag`, the tag is made of the body. `head` is the answer's up to the value of X-Request-ID; it is filled with
    the values and the entity tag with which the answer leaves.
    """

    __slots__ = ("coding", "facts", "head", "makes_etag", "remembered", "stores", "terms")

    def __init__(
        self, reading: ReadHead, head: Template, facts: RecordTemplate, refusal: str, *, makes_etag: bool
    ) -> None:
        self.head = head
        self.facts = facts
        self.coding = facts.coding
        self.stores = not refusal
        self.terms: StorageTerms | None = None
        # Where it varies, what it says of a key is for one variant: the pipeline sees to that.
        self.remembered = refusal in REMEMBERED and not any(line.lower().startswith(b"vary:") for line in reading.lines)
        self.makes_etag = makes_etag

    def etag_of(self, etag: str) -> bytes:
        """The entity tag with which the answer leaves, of that which the response has or gets."""
        return (coded_etag(etag, self.coding) if self.coding else etag).encode("ascii")

    def end(self, length: int) -> bytes:
        """The head's end behind the proxy's own lines; a coded body has another length than the one that came."""
        return b"Content-Length: %d\r\n\r\n" % length if self.coding else CRLF


def response_template(
    reading: ReadHead, shape: ResponseHeadShape, answered: AnsweredMiss, facts: RecordTemplate, edits: FieldEdits
) -> ResponseTemplate | None:
    """How to answer what looks like a response that was answered so; None where that is unclear.

    `edits` are those of the route: a line that it sets is the same for all, whatever the backend's said.
    """
    if not edits.added.isdisjoint(reading.names):
        return None
    found = _SERVED.fullmatch(answered.served)
    if found is None or (answered.refusal and not set(TAG_FIELDS).isdisjoint(reading.names)):
        return None
    if (found[2] is not None) is not bool(facts.coding):  # where the length stands that `end` writes
        return None
    own = edits.names
    places = {name: place for place, name in enumerate(reading.names) if name not in own}
    makes_etag = "etag" not in places and b"\r\nETag: " in found[1]
    etag = answered.made_etag if shape.etag < 0 else reading.values[shape.etag].decode("ascii")
    template = ResponseTemplate(reading, Template(), facts, answered.refusal, makes_etag=makes_etag)
    said = [*reading.values, template.etag_of(etag)]
    if makes_etag or template.coding:
        places["etag"] = len(reading.values)
    head, added = template.head, ADDED_TO_CODED if template.coding else ADDED_HERE
    for line in found[1].splitlines(keepends=True):
        name = line.partition(b":")[0].decode("latin-1").lower()
        place = places.get(name)
        if place is not None:
            if not head.add_line(line, place, said[place]):
                return None
        elif name in added or name in own or line in reading.lines:
            head.add(line)
        else:
            return None
    head.add(b"X-Request-ID: ")
    return template


class FoundReply(NamedTuple):
    """What answers a response, its shape and values, and how many bytes of body have come with its head."""

    template: ResponseTemplate
    shape: ResponseHeadShape
    values: Values
    came_bytes: int


class ResponseTemplates:
    """What is known of the responses of one kind on one way, so much at most.

    `rules` tell which are long enough to be coded, `edits` what the route does to their fields.
    """

    __slots__ = ("_edits", "_kind", "_known", "_last", "_rules", "_shapes")

    def __init__(self, rules: CodingRules, kind: ResponseKind = OF_MISSES, edits: FieldEdits = TAGS_HIDDEN) -> None:
        self._kind = kind
        self._edits = edits
        self._rules = rules
        self._shapes: dict[tuple[bytes, ...], ResponseHeadShape] = {}
        self._known: dict[tuple[ResponseHeadShape, bool], ResponseTemplate] = {}
        self._last: ResponseHeadShape | None = None

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, answered: AnsweredMiss, facts: RecordTemplate) -> None:
        """Answer from now on in this way what looks like it, where that is clear."""
        reading = read(answered.raw, self._kind)
        if reading is None:
            return
        length = reading.values[reading.names.index("content-length")] if "content-length" in reading.names else b"0"
        if not length.isdigit():
            return
        if len(self._known) >= MAX_REPLIES:
            self._known.clear()
            self._shapes.clear()
            self._last = None
        shape = self._shapes.get(reading.texts) or ResponseHeadShape(reading)
        template = response_template(reading, shape, answered, facts, self._edits)
        if template is not None:
            self._shapes[reading.texts] = shape
            self._known[shape, is_worth_coding(int(length), self._rules)] = template

    def find(self, raw: bytes) -> FoundReply | None:
        """What answers the response that these bytes begin; None where that is not known."""
        shape = self._last
        values = None if shape is None else shape.values(raw)
        if shape is None or values is None:
            reading = read(raw, self._kind) if self._shapes else None
            shape = None if reading is None else self._shapes.get(reading.texts)
            values = None if shape is None else shape.values(raw)
            if shape is None or values is None:
                return None
            self._last = shape
        came_bytes = len(raw) - shape.stop
        template = self._known.get((shape, is_worth_coding(came_bytes, self._rules)))
        if template is None or shape.stop > MAX_PLAIN_HEAD_BYTES or not shape.are_clean(values):
            return None
        return FoundReply(template, shape, values, came_bytes)
