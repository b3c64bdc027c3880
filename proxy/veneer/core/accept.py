"""Weighted lists of choices: the grammar shared by Accept-Encoding and Accept-Language (RFC 9110 section 12.4)."""

from __future__ import annotations

from typing import NamedTuple

from veneer.core.codings import ALIASES
from veneer.core.headers import OWS


class Choice(NamedTuple):
    """One member: its lower-case name and its weight from 0 (not acceptable) to 1."""

    name: str
    weight: float


def choices(value: str) -> list[Choice]:
    """The members of the list in order. A weight that is malformed makes its member not acceptable."""
    found: list[Choice] = []
    for part in value.split(","):
        name, semicolon, parameter = part.partition(";")
        name = name.strip(OWS).lower()
        if not name:
            continue
        found.append(Choice(name, _weight(parameter) if semicolon else 1.0))
    return found


def coding_weights(accept_encoding: str) -> dict[str, float]:
    """The weight of each coding that the field names, by the name this proxy gives it; `*` stands for all others."""
    weights = {choice.name: choice.weight for choice in choices(accept_encoding)}
    for alias, name in ALIASES:
        if alias in weights:
            weights.setdefault(name, weights[alias])
    return weights


def _weight(parameter: str) -> float:
    """The qvalue (RFC 9110 section 12.4.2): at most three decimals, at most 1."""
    name, equals, text = parameter.strip(OWS).partition("=")
    if not equals or name.strip(OWS).lower() != "q":
        return 0.0
    text = text.strip(OWS)
    digits = text.replace(".", "", 1)
    if not digits.isascii() or not digits.isdigit() or len(text) > 5 or text[0] not in "01":
        return 0.0
    return min(float(text), 1.0)
