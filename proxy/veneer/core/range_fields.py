"""The grammar of Range and Content-Range (RFC 9110 sections 14.1 to 14.4), bytes only."""

from __future__ import annotations

from typing import Final, NamedTuple

from veneer.core.headers import OWS

MAX_POSITION_DIGITS: Final = 18


class RangeSpec(NamedTuple):
    """One range as asked: `first`-`last` with `last` None for "to the end"; `first` None for the last `last` bytes."""

    first: int | None
    last: int | None


class ContentRange(NamedTuple):
    """Bytes `first` to `last` inclusive of `complete`, None where the length is unknown ("*")."""

    first: int
    last: int
    complete: int | None


def parse_range(value: str | None) -> list[RangeSpec] | None:
    """The ranges of a Range field; None when it is absent, of another unit or malformed: then it is ignored (14.2)."""
    if value is None:
        return None
    unit, equals, rest = value.partition("=")
    if not equals or unit.strip(OWS).lower() != "bytes":
        return None
    specs: list[RangeSpec] = []
    for part in rest.split(","):
        text = part.strip(OWS)
        if not text:
            continue
        spec = _spec(text)
        if spec is None:
            return None
        specs.append(spec)
    return specs or None


def _spec(text: str) -> RangeSpec | None:
    first_text, dash, last_text = text.partition("-")
    if not dash:
        return None
    first, last = _position(first_text), _position(last_text)
    if first is None:
        return None if first_text or last is None else RangeSpec(None, last)
    if last is None:
        return None if last_text else RangeSpec(first, None)
    return None if last < first else RangeSpec(first, last)


def _position(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_POSITION_DIGITS:
        return None
    return int(text)


def parse_content_range(value: str | None) -> ContentRange | None:
    """The part that a 206 says it carries; None when absent, malformed, of another unit or unsatisfied ("*/n")."""
    if value is None or value[:6].lower() != "bytes ":
        return None
    part, slash, complete_text = value[6:].strip(OWS).partition("/")
    first_text, dash, last_text = part.partition("-")
    first, last = _position(first_text), _position(last_text)
    if not slash or not dash or first is None or last is None or last < first:
        return None
    if complete_text == "*":
        return ContentRange(first, last, None)
    complete = _position(complete_text)
    return None if complete is None or complete <= last else ContentRange(first, last, complete)
