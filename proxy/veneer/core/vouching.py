"""What the answer of a service proves that was asked who has a credential: whose it is, nobody's, or nothing."""

from __future__ import annotations

from typing import Final

from veneer.core.cache_control import delta_seconds, response_directives
from veneer.core.fields import Fields
from veneer.core.identity import MAX_VALUE_CHARS, Values

REFUSED_S: Final = 5.0
"""How long a credential counts for nothing that the service has refused, at most."""


def vouched_values(fields: Fields, named: tuple[tuple[str, str], ...]) -> Values:
    """The identity values in the fields that hold them; one that is there twice, or is long, gives none."""
    said = [(name, fields.lines(field)) for name, field in named]
    return tuple([
        (name, "s:" + lines[0]) for name, lines in said if len(lines) == 1 and 0 < len(lines[0]) <= MAX_VALUE_CHARS
    ])  # fmt: skip


def word_lasts(fields: Fields, most_s: float) -> float:
    """For how many seconds the service's word may be kept: `most_s`, or less where its Cache-Control says so."""
    said = response_directives(fields)
    if said.no_store or said.no_cache:
        return 0.0
    if said.max_age_s is None:
        return most_s
    spent_s = delta_seconds(fields.get("age")) or 0
    return min(most_s, max(0.0, float(said.max_age_s - spent_s)))
