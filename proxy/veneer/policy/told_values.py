"""One value of a policy in force, and who said it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple


class Origin(Enum):
    """Who said a value."""

    FILE = "file"
    DEFAULT = "default"
    ENVIRONMENT = "environment"
    OPTION = "option"


class PolicyValue(NamedTuple):
    """One key of policies.yaml with its value as text. No secret is in it.

    `at` says where it was said: file and line, variable, or option; the file is empty for the policy's own. It is empty
    for defaults.
    """

    key: str
    value: str
    origin: Origin
    at: str = ""


Values = Callable[[str | None], Iterable[PolicyValue]]
"""All values; of each route what it says itself, and where a route is named all that holds on it, and only that."""


def nothing_said(_route: str | None = None) -> Iterable[PolicyValue]:
    """Of a policy that was made of no text."""
    return ()
