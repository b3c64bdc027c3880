"""What the backend said last of who may read its answers, so that pages can read the proxy's own."""

from __future__ import annotations

from typing import Final

from veneer.core.cors import ALLOW_ORIGIN, ANY, CorsRules, allowed_by
from veneer.core.fields import Fields, Pair

MAX_WORDS: Final = 1024
MAX_ORIGIN_CHARS: Final = 256


class CorsMemory:
    """The last word by route and origin, so many at most: the oldest go first."""

    def __init__(self, most: int = MAX_WORDS) -> None:
        self._most = most
        self._words: dict[tuple[str, str], tuple[Pair, ...]] = {}

    def __len__(self) -> int:
        return len(self._words)

    def note(self, route: str, origin: str | None, fields: Fields) -> None:
        """See a response of the backend to a page of `origin`; None for a request that was of no page."""
        allowed = fields.joined.get(ALLOW_ORIGIN)
        if allowed == ANY:
            self._keep((route, ANY), allowed_by(fields, ANY))
        elif origin is not None:
            self._words.pop((route, ANY), None)
        if origin is not None and len(origin) <= MAX_ORIGIN_CHARS:
            if allowed == origin:
                self._keep((route, origin), allowed_by(fields, origin))
            else:
                self._words.pop((route, origin), None)

    def lines(self, route: str, rules: CorsRules, origin: str) -> tuple[Pair, ...]:
        """The fields of an answer of the proxy's own to a page of `origin`: by the policy, else by the last word."""
        by_policy = rules.lines(origin)
        if by_policy or not rules.learns:
            return by_policy
        return self._words.get((route, origin)) or self._words.get((route, ANY)) or ()

    def _keep(self, key: tuple[str, str], lines: tuple[Pair, ...]) -> None:
        self._words.pop(key, None)
        if len(self._words) >= self._most:
            del self._words[next(iter(self._words))]
        self._words[key] = lines
