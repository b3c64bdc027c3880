"""A circuit breaker's arithmetic: closed, open, half-open. Pure; `now` is a monotonic reading in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a backend's failures.

    Closed while `open_until` is None. Until that time everything is refused; after it one request at a time is let
    through to try (half-open, `trying`).
    """

    failures: int = 0
    open_until: float | None = None
    trying: bool = False


def state_at(breaker: Breaker, now: float) -> str:
    """One of "closed", "open" and "half-open", for who watches."""
    if breaker.open_until is None:
        return "closed"
    return "open" if now < breaker.open_until else "half-open"


def admits(breaker: Breaker, now: float) -> bool:
    """Whether a request may go to the backend."""
    return breaker.open_until is None or (now >= breaker.open_until and not breaker.trying)


def begun(breaker: Breaker) -> Breaker:
    """An admitted request has been sent on its way."""
    return breaker if breaker.open_until is None else replace(breaker, trying=True)


_CLOSED: Final = Breaker()


def succeeded() -> Breaker:
    """The backend has answered: closed, nothing counted."""
    return _CLOSED


def failed(breaker: Breaker, now: float, max_failures: int, open_s: float) -> Breaker:
    """The backend has not answered: `max_failures` in a row, or one try in vain, open the breaker for `open_s`."""
    failures = breaker.failures + 1
    if breaker.open_until is not None and not breaker.trying:
        return breaker  # a request from before it opened
    if breaker.trying or failures >= max_failures:
        return Breaker(failures, now + open_s)
    return Breaker(failures)


def abandoned(breaker: Breaker) -> Breaker:
    """A request ended without telling anything about the backend: the next one may try."""
    return replace(breaker, trying=False) if breaker.trying else breaker
