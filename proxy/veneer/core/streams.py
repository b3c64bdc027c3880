"""Responses that last: they are sent as things happen, and end when somebody leaves."""

from __future__ import annotations

from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import essence

STREAM_TYPES: Final = ("text/event-stream", "multipart/x-mixed-replace")
"""Event streams (WHATWG HTML, server-sent events), and pictures that replace each other."""


def is_stream(fields: Fields) -> bool:
    """Whether a response with these fields is one."""
    media_type = fields.joined.get("content-type")
    if media_type is None or media_type[:1] not in "tTmM":
        return False
    return essence(media_type) in STREAM_TYPES
