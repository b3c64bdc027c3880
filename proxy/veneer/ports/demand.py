"""Whether anybody still waits for what the backend is asked for."""

from __future__ import annotations

from collections.abc import Callable

from mypy_extensions import mypyc_attr

from veneer.core.overload import ANY_CLAIM, Claim


@mypyc_attr(allow_interpreted_subclasses=True)
class Demand:
    """Counts who waits for an exchange: at first the one who asked.

    Whoever carries the exchange out is told when nobody waits any more (`when_unwanted`). It may then *drop* the
    exchange where others need what it holds; until it has done so, others may still `join`.
    """

    __slots__ = ("_asker", "_unwanted", "_waiting", "claim", "dropped")

    def __init__(self, claim: Claim = ANY_CLAIM) -> None:
        self.claim = claim
        """On what terms it is asked for."""
        self._waiting = 1
        self._asker = True
        self._unwanted: Callable[[], None] | None = None
        self.dropped = False
        """Whether the exchange was given up, or is about to be: nobody may join any more."""

    @property
    def wanted(self) -> bool:
        """Whether anybody waits."""
        return self._waiting > 0

    def join(self) -> None:
        """One more waits."""
        self._waiting += 1

    def leave(self) -> None:
        """One of those who have joined waits no more."""
        self._waiting -= 1
        if self._waiting == 0 and self._unwanted is not None:
            self._unwanted()

    def asker_left(self) -> None:
        """The one who asked waits no more, or waits from now on as one who has joined. Idempotent."""
        if self._asker:
            self._asker = False
            self.leave()

    def when_unwanted(self, act: Callable[[], None] | None) -> None:
        """What to do whenever nobody waits any more, in place of what was to be done so far."""
        self._unwanted = act
