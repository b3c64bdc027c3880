"""The backend's only clock room: everything else is handed a `Clock`."""

import datetime as dt
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Return the present time in UTC, with its zone."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - the clock room itself
