"""A plain event of a stream of changes, for everybody who knows the tags: {"tags": [...], "position", "as_of_ms"}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from veneer.core.change_events import ChangeEvent, UnreadableEventError, read_json
from veneer.core.tags import BadTagError, names_of

MAX_EVENT_TAGS: Final = 1_000
"""Tags that one event may name."""
MAX_POSITION_CHARS: Final = 256

_FIELDS: Final = ("tags", "position", "as_of_ms")
_FORM: Final = 'right is, for example, {"tags": ["user:42", "users:*"], "position": "1-7", "as_of_ms": 1764500000000}'


def decode_tag_event(text: bytes | str) -> ChangeEvent:
    """An event in JSON. Raises UnreadableEventError."""
    return tag_event_of(read_json(text))


def tag_event_of(event: object) -> ChangeEvent:
    """An event of JSON that has been read. Raises UnreadableEventError."""
    if not isinstance(event, dict):
        msg = f"the event is no object; {_FORM}"
        raise UnreadableEventError(msg)
    if unknown := sorted(event.keys() - set(_FIELDS)):
        msg = f"{unknown[0][:80]!r} is unknown; {_FORM}"
        raise UnreadableEventError(msg)
    tags = event.get("tags")
    if not isinstance(tags, list):
        msg = f'"tags" is no list; {_FORM}'
        raise UnreadableEventError(msg)
    if len(tags) > MAX_EVENT_TAGS:
        msg = f'"tags" has {len(tags)} members, at most {MAX_EVENT_TAGS} are taken; "*" or "users:*" names many at once'
        raise UnreadableEventError(msg)
    named: dict[str, None] = {}
    for tag in tags:
        if not isinstance(tag, str):
            msg = f'"tags" holds {str(tag)[:80]!r}, which is no string'
            raise UnreadableEventError(msg)
        try:
            named.update(dict.fromkeys(names_of(tag)))
        except BadTagError as error:
            raise UnreadableEventError(str(error)) from error
    return ChangeEvent((), tuple(named), as_of_ms=_as_of(event.get("as_of_ms")), position=_position(event))


def decode_tag_fields(fields: Mapping[bytes, bytes]) -> ChangeEvent:
    """An entry of a Redis stream: JSON in its only field, or the members of an event as fields.

    `tags` is then a list in JSON, or by commas or spaces. Raises UnreadableEventError.
    """
    if len(fields) == 1 and b"tags" not in fields:
        return decode_tag_event(next(iter(fields.values())))
    try:
        told: dict[str, object] = {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError as error:
        raise UnreadableEventError("it is not UTF-8") from error
    tags, moment = told.get("tags"), told.get("as_of_ms")
    if isinstance(tags, str):
        told["tags"] = read_json(tags) if tags.startswith("[") else tags.replace(",", " ").split()
    if isinstance(moment, str):
        told["as_of_ms"] = int(moment) if moment.isascii() and moment.isdecimal() and len(moment) < 16 else moment
    return tag_event_of(told)


def _as_of(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**15:
        msg = f'"as_of_ms" is {str(value)[:80]!r}, and has to be milliseconds since 1970'
        raise UnreadableEventError(msg)
    return value


def _position(event: Mapping[str, object]) -> str:
    value = event.get("position", "")
    if not isinstance(value, str) or len(value) > MAX_POSITION_CHARS or not value.isprintable():
        msg = f'"position" has to be a string of at most {MAX_POSITION_CHARS} printable characters'
        raise UnreadableEventError(msg)
    return value
