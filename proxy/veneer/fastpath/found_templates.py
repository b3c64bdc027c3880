"""How stored responses that look like an earlier one are answered as hits, once the pipeline has answered that one."""

from __future__ import annotations

from typing import Final

from veneer.core.entry import CodedBody, Entry
from veneer.core.field_edits import FieldEdits
from veneer.core.fields import lower_name
from veneer.core.negotiation import coded_etag, is_worth_coding
from veneer.core.rules import CodingRules
from veneer.fastpath.hot_entries import HeadTemplate, RouteFacts, VariantReply, VariantSelector
from veneer.fastpath.learning import HeadPieces
from veneer.fastpath.pattern import Template, Values, is_printable_ascii
from veneer.fastpath.replies import ADDED_HERE, ADDED_TO_CODED, MAX_REPLIES
from veneer.fastpath.response_shapes import PER_RESPONSE
from veneer.http1.grammar import CRLF
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.context import ServedHit

MAX_HEADS: Final = 256
"""Ends of heads kept for one template: as many as there are lengths of body."""

_CHANGING: Final = frozenset(PER_RESPONSE)
_VALUE: Final = "\n"
"""Stands for a changing value; no value has it."""
_LENGTH_LINE: Final = b"Content-Length: %d\r\n\r\n"


class StoredShape:
    """A stored response without its changing values; `names`, in lower case, are those of `values`."""

    __slots__ = ("key", "names", "values")

    def __init__(self, entry: Entry, rules: CodingRules) -> None:
        key = [entry.reason, "coded" if is_worth_coding(len(entry.body), rules) else ""]
        self.names: list[str] = []
        self.values: Values = []
        for name, value in entry.fields.pairs:
            key.append(name)
            lower = lower_name(name)
            if lower in _CHANGING:
                key.append(_VALUE)
                self.names.append(lower)
                self.values.append(value.encode("latin-1"))
            else:
                key.append(value)
        self.key: Final = tuple(key)


class FoundTemplate:
    """What answers stored responses of one shape. `coding` is "" where the body leaves as it is stored."""

    __slots__ = ("_etag", "_first", "_head", "_heads", "_last", "_length_follows", "coding")

    def __init__(
        self, parts: list[bytes], head: Template, first: HeadTemplate, coding: str, etag: int, *, length_follows: bool
    ) -> None:
        """`parts` are the texts before the first value and behind the last; `head` is what stands between them."""
        self._first, self._last = parts
        self._head = head
        self._heads = {first.suffix: first}
        self._length_follows = length_follows
        self._etag = etag
        self.coding: Final = coding

    def reply(self, entry: Entry, shape: StoredShape, coded: CodedBody | None) -> VariantReply | None:
        """The answer from `entry` in the form `coded`, None its own; None where a value is not plain."""
        values = shape.values
        if not is_printable_ascii(b"".join(values)):
            return None
        body = entry.body
        if coded is not None:
            body = coded.body
            if self._etag >= 0:
                etag = values[self._etag].decode("ascii")
                values[self._etag] = coded_etag(etag, coded.coding, recompressed=coded.recompressed).encode("ascii")
        template = self._template(_LENGTH_LINE % len(body) if self._length_follows else CRLF)
        return VariantReply(template, self._head.filled(values), body, 0 if coded is None else len(entry.body), None)

    def _template(self, suffix: bytes) -> HeadTemplate:
        heads = self._heads
        known = heads.get(suffix)
        if known is None:
            one = next(iter(heads.values()))
            if len(heads) >= MAX_HEADS:
                heads.clear()
            known = HeadTemplate(
                one.selector, one.prefix, one.before_age, one.before_ttl, suffix, one.facts, one.route_facts
            )
            heads[suffix] = known
        return known


class FoundTemplates:
    """What is known of the stored responses that answer requests of one way, so much at most.

    `rules` tell which are long enough to be coded, `edits` what the route does to their fields.
    """

    __slots__ = ("_edits", "_known", "_rules")

    def __init__(self, rules: CodingRules, edits: FieldEdits) -> None:
        self._rules = rules
        self._edits = edits
        self._known: dict[tuple[str, ...], FoundTemplate] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, shape: StoredShape) -> FoundTemplate | None:
        """What answers a stored response of this shape; None where that is not known."""
        return self._known.get(shape.key)

    def shape_of(self, entry: Entry) -> StoredShape:
        """The shape of a stored response."""
        return StoredShape(entry, self._rules)

    def learn(
        self,
        served: ServedHit,
        pieces: HeadPieces,
        selector: VariantSelector,
        facts: RecordTemplate,
        route_facts: RouteFacts,
    ) -> None:
        """Answer from now on in this way what looks like it, where that is clear."""
        shape = self.shape_of(served.entry)
        head = HeadTemplate(selector, b"", b"", pieces.before_ttl, pieces.suffix, facts, route_facts)
        template = found_template(served, shape, pieces.head, head, self._edits)
        if template is None:
            return
        if len(self._known) >= MAX_REPLIES:
            self._known.clear()
        self._known[shape.key] = template


def found_template(
    served: ServedHit, shape: StoredShape, raw: bytes, known: HeadTemplate, edits: FieldEdits
) -> FoundTemplate | None:
    """How to answer what looks like a stored response that was answered so; None where that is unclear.

    `raw` is the head up to the value of Age, `known` what does not depend on that. `edits` are those of the route: a
    line that it sets is the same for all.
    """
    names, coding = shape.names, served.coding or ""
    if len(set(names)) != len(names) or "date" not in names:  # a Date of our own is another one each time
        return None
    length_follows = known.suffix != CRLF
    if not edits.added.isdisjoint(names) or (length_follows and known.suffix != _LENGTH_LINE % served.length):
        return None
    said, etag = list(shape.values), -1
    if coding and "etag" in names:
        etag = names.index("etag")
        kept = served.entry.coded_in(coding)
        tag = coded_etag(said[etag].decode("latin-1"), coding, recompressed=kept is not None and kept.recompressed)
        said[etag] = tag.encode("latin-1")
    replaced = {name.lower() for name, _ in edits.lines}
    places = {name: place for place, name in enumerate(names) if name not in replaced}
    added = (ADDED_TO_CODED if coding else ADDED_HERE) | edits.names
    found = _filled(served.entry, raw, places, said, added)
    if found is None:
        return None
    parts, head = found
    first = HeadTemplate(
        known.selector, parts[0], parts[1], known.before_ttl, known.suffix, known.facts, known.route_facts
    )
    return FoundTemplate(parts, head, first, coding, etag, length_follows=length_follows)


def _filled(
    entry: Entry, raw: bytes, places: dict[str, int], said: Values, added: frozenset[str]
) -> tuple[list[bytes], Template] | None:
    """The head up to the value of Age: what is before and behind all values, and what is to be filled with them."""
    status_line, *lines = raw.splitlines(keepends=True)
    stored = {f"{name}: {value}\r\n".encode("latin-1") for name, value in entry.fields.pairs}
    start, end, head = [status_line], list[bytes](), Template()
    begun = False
    for line in lines:
        name, colon, _ = line.partition(b": ")
        lower = name.decode("latin-1").lower()
        place = places.get(lower)
        if place is not None:
            head.add(b"".join(end))
            end.clear()
            begun = True
            if not head.add_line(line, place, said[place]):
                return None
        elif line == b"Age: " or (lower in added and colon) or line in stored:
            (end if begun else start).append(line)
        else:
            return None
    return [b"".join(start), b"".join(end)], head
