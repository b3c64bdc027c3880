"""Which version runs: that of the tag it was built from."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "0+unknown"
"""Of a copy of the sources that was never installed."""


@cache
def running_version() -> str:
    """The version of the installed distribution. An editable install says what it was when it was made."""
    try:
        return version("veneer")
    except PackageNotFoundError:
        return UNKNOWN
