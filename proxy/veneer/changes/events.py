"""From events, as a stream or a request brings them, to what is to be invalidated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from veneer.core.change_events import ChangeEvent, UnreadableEventError, read_json
from veneer.core.change_tags import TransactionTags, all_tags
from veneer.core.debezium import DebeziumDecoder
from veneer.core.row_changes import EVERYTHING, TableRules
from veneer.core.tag_events import decode_tag_event, decode_tag_fields
from veneer.ports import AsOf, ChangeItem, Committed

UNREADABLE: Final = "an event that cannot be read"
"""The gap of a `Committed`; what is wrong with which event is for the log."""


class EventDecoder(Protocol):
    """Reads the events of one source, in their order."""

    def entry(self, fields: Mapping[bytes, bytes]) -> ChangeEvent:
        """An entry of a Redis stream. Raises UnreadableEventError."""
        ...

    def posted(self, event: bytes) -> ChangeEvent:
        """An event in JSON. Raises UnreadableEventError."""
        ...


class TagEvents:
    """Plain events (core.tag_events)."""

    def entry(self, fields: Mapping[bytes, bytes]) -> ChangeEvent:
        """As EventDecoder."""
        return decode_tag_fields(fields)

    def posted(self, event: bytes) -> ChangeEvent:
        """As EventDecoder."""
        return decode_tag_event(event)


class DebeziumEvents:
    """Debezium's (core.debezium), as Debezium Server writes them into a Redis stream, and posted.

    Its `redis.message.format` is `compact` (an entry's only field has the event's key for a name) or `extended` (the
    fields "key" and "value", and headers). A posted event is the value alone, or {"key": ..., "value": ...}.
    """

    def __init__(self, full_old_rows: bool = False) -> None:
        self._decoder = DebeziumDecoder(full_old_rows)

    def entry(self, fields: Mapping[bytes, bytes]) -> ChangeEvent:
        """As EventDecoder."""
        if b"key" in fields and b"value" in fields:
            return self._decoder.decode(fields[b"key"], fields[b"value"])
        if len(fields) == 1:
            return self._decoder.decode(*next(iter(fields.items())))
        names = ", ".join(name.decode("latin-1")[:40] for name in list(fields)[:8])
        msg = f'the entry has the fields {names or "none"}, and should have "key" and "value", or one named as the key'
        raise UnreadableEventError(msg)

    def posted(self, event: bytes) -> ChangeEvent:
        """As EventDecoder."""
        if event.lstrip()[:1] == b"{":
            read_json(event)  # refuses what is too long, or too deep, in its own words
            members = msgspec.json.decode(event, type=dict[str, msgspec.Raw])
            if members.keys() == {"key", "value"}:
                return self._decoder.decode(bytes(members["key"]), bytes(members["value"]))
        return self._decoder.decode(None, event)


class EventSum:
    """What events invalidate. `tables` are the rules of those that tell rows, `everything` names all of the others."""

    def __init__(self, tables: Iterable[TableRules] = (), everything: tuple[str, ...] = ()) -> None:
        rules = tuple(tables)
        self.all_tags: Final = everything or all_tags(rules) or (EVERYTHING,)
        self._rows = TransactionTags(rules)
        self._position = ""
        self._as_of_ms: int | None = None
        self._items: list[ChangeItem] = []

    def add(self, event: ChangeEvent, position: str) -> None:
        """Count an event in, of this position in the source."""
        self._position = position
        for change in event.rows:
            self._rows.add(change)
        tags, gap = self._rows.take()
        everything = self.all_tags if event.gap else ()
        if named := dict.fromkeys((*everything, *tags, *event.tags)):
            self._items.append(Committed(position, tuple(named), event.gap or gap))
        if event.as_of_ms is not None:
            self._as_of_ms = max(event.as_of_ms, self._as_of_ms or 0)

    def everything(self, why: str, position: str) -> None:
        """What is at this position is not known."""
        self.add(ChangeEvent(gap=why), position)

    def take(self) -> list[ChangeItem]:
        """The items, in order, the last of which is at the last event's position; then the next sum begins."""
        items, self._items = self._items, []
        if self._as_of_ms is not None:
            items.append(AsOf(self._position, self._as_of_ms))
        elif self._position and (not items or items[-1].position != self._position):
            items.append(Committed(self._position, ()))
        self._position, self._as_of_ms = "", None
        return items
