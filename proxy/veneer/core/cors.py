"""Which pages may read the proxy's own answers (Fetch section 3.3, "CORS protocol")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from veneer.core.fields import Fields, Pair

ALLOW_ORIGIN: Final = "access-control-allow-origin"
_CREDENTIALS: Final = "access-control-allow-credentials"
_EXPOSE: Final = "access-control-expose-headers"
_SPELT: Final = {
    ALLOW_ORIGIN: "Access-Control-Allow-Origin",
    _CREDENTIALS: "Access-Control-Allow-Credentials",
    _EXPOSE: "Access-Control-Expose-Headers",
}
EXPOSED: Final = ("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")
"""What a page needs of the proxy's own answers, beside the fields that every page may read."""

ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class CorsRules:
    """Whose pages may read the proxy's own answers on a route: of these `origins`, or of all where "*" is among them.

    `learns`: of those as well to which the backend said so last.
    """

    origins: frozenset[str] = frozenset()
    credentials: bool = False
    expose: tuple[str, ...] = EXPOSED
    learns: bool = True

    def lines(self, origin: str) -> tuple[Pair, ...]:
        """The fields for a page of `origin`, as the policy has it; none where it allows nothing."""
        if origin not in self.origins and ANY not in self.origins:
            return ()
        allowed = origin if origin in self.origins else ANY
        lines: list[Pair] = [(_SPELT[ALLOW_ORIGIN], allowed)]
        if self.credentials:
            lines.append((_SPELT[_CREDENTIALS], "true"))
        if self.expose:
            lines.append((_SPELT[_EXPOSE], ", ".join(self.expose)))
        return with_vary(tuple(lines))


def allowed_by(fields: Fields, origin: str) -> tuple[Pair, ...]:
    """What a response to a page of `origin` allows it, or with "*" what it allows all; none where that is nothing."""
    said = fields.joined
    if said.get(ALLOW_ORIGIN) != origin:
        return ()
    return with_vary(tuple([(spelt, said[name]) for name, spelt in _SPELT.items() if name in said]))


def with_vary(lines: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The lines, and that they are for one origin where they are."""
    return lines if lines[0][1] == ANY else (*lines, ("Vary", "Origin"))
