"""One event of a stream of changes, read: what it says was changed, and what cannot be known from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from veneer.core.row_changes import RowChange

MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""A longer event is not read."""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What one event tells: rows, or tags as an invalidation names them (core.invalidation).

    `gap` is not empty where everything under the source is meant; it says why. `as_of_ms` is there if all that was
    committed before that moment, by the source's clock, came before this event. `position` is the source's own name
    of the place, where it says one.
    """

    rows: tuple[RowChange, ...] = ()
    tags: tuple[str, ...] = ()
    gap: str = ""
    as_of_ms: int | None = None
    position: str = ""


NOTHING: Final = ChangeEvent()
"""An event that changes nothing."""


class UnreadableEventError(ValueError):
    """An event that is not what it should be; the text says what is wrong, and what would be right."""


class _Inexact:
    """A number with a fraction or an exponent: what text it was written from in the database is unknown."""


INEXACT: Final = _Inexact()


def _inexact(_: str) -> _Inexact:
    return INEXACT


_DECODER: Final = msgspec.json.Decoder(float_hook=_inexact)


def read_json(text: bytes | str) -> object:
    """JSON in which integers stay exact and other numbers are INEXACT. Raises UnreadableEventError."""
    if len(text) > MAX_EVENT_BYTES:
        msg = f"it has {len(text)} bytes, of which at most {MAX_EVENT_BYTES} are read"
        raise UnreadableEventError(msg)
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        msg = f"it is not JSON: {error}"
        raise UnreadableEventError(msg) from error
    except RecursionError as error:
        raise UnreadableEventError("it is nested too deeply") from error
