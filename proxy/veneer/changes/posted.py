"""Events that somebody posts: all of a request's are understood, or none is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from veneer.changes.events import EventDecoder, EventSum
from veneer.core.change_events import UnreadableEventError
from veneer.ports import Committed

MAX_POSTED_EVENTS: Final = 10_000
"""Events of one request."""


class PostedEventsError(ValueError):
    """The events cannot be taken; the text says which one, what is wrong with it, and what would be right."""


@dataclass(frozen=True, slots=True)
class PostedEvents:
    """What posted events invalidate. `position` is the last that any of them named; `gaps` say why more is named."""

    events: int
    tags: tuple[str, ...]
    position: str
    gaps: tuple[str, ...]


def read_posted(body: bytes, decoder: EventDecoder, summed: EventSum) -> PostedEvents:
    """The events of a request's body: one in JSON, an array of them, or one on each line. Raises PostedEventsError."""
    what, texts = _parts(body)
    if len(texts) > MAX_POSTED_EVENTS:
        msg = f"{len(texts)} events; post at most {MAX_POSTED_EVENTS} at once"
        raise PostedEventsError(msg)
    position = ""
    for number, text in enumerate(texts, 1):
        try:
            event = decoder.posted(text)
        except UnreadableEventError as error:
            msg = f"{what} {number}: {error}" if len(texts) > 1 else str(error)
            raise PostedEventsError(msg) from error
        position = event.position or position
        summed.add(event, position or f"event {number}")
    commits = [item for item in summed.take() if isinstance(item, Committed)]
    tags = dict.fromkeys(tag for commit in commits for tag in commit.tags)
    gaps = dict.fromkeys(commit.gap for commit in commits if commit.gap)
    return PostedEvents(len(texts), tuple(tags), position, tuple(gaps))


def _parts(body: bytes) -> tuple[str, list[bytes]]:
    """The single events, and what each is called."""
    text = body.strip()
    if not text:
        raise PostedEventsError("the body is empty; post an event, an array of events, or one on each line")
    try:
        if text.startswith(b"["):
            return "event", [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]
        first, line_feed, _ = text.partition(b"\n")
        if line_feed and _is_json(first):
            return "line", [line for line in text.splitlines() if line.strip()]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        msg = f"the array cannot be read: {error}"
        raise PostedEventsError(msg) from error
    return "event", [text]


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
