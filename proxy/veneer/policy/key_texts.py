"""What the keys of tokens are: read with the policy, as all that a policy takes from elsewhere (policy.sources)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from veneer.policy.model_identity import KeySource
from veneer.policy.schema_identity import IdentityShape, JwtKeyShape
from veneer.policy.sources import MissingValueError, Sources
from veneer.policy.wrong import Wrong

LEAST_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: at least as long as what HS256 makes."""

KeyTexts = dict[tuple[str, int], str]
"""By the name of the identity and the place of the key in its list."""


def sources_of(key: JwtKeyShape) -> list[tuple[KeySource, str]]:
    """Where a key says that it is."""
    said = [(source, getattr(key, source.value)) for source in KeySource]
    return [(source, place) for source, place in said if place is not None]


def read_key_texts(shapes: Mapping[str, IdentityShape], sources: Sources, into: KeyTexts) -> Iterator[Wrong]:
    """Read all keys, and tell what is wrong with them. A variable that is not set leaves its key empty."""
    for name, shape in shapes.items():
        for index, key in enumerate(() if shape.jwt is None else shape.jwt.keys):
            said = sources_of(key)
            if len(said) != 1:
                continue
            source, place = said[0]
            at = (name, "jwt", "keys", index, source.value)
            try:
                text = into[name, index] = _read(source, place, sources)
            except MissingValueError as error:
                yield Wrong(at, str(error), error.suggestion)
                continue
            length = len(text.encode("utf-8", "surrogateescape"))
            if text and source.is_secret and length < LEAST_SECRET_BYTES:
                why = f"a secret of {length} bytes is guessed, and {LEAST_SECRET_BYTES} are needed"
                yield Wrong(at, why, "write what `openssl rand -base64 32` says")


def _read(source: KeySource, place: str, sources: Sources) -> str:
    match source:
        case KeySource.SECRET_ENV:
            return sources.variable(place)
        case KeySource.SECRET_FILE:
            return sources.secret(place)
        case KeySource.PUBLIC_KEY_FILE:
            return sources.content(place)
        case KeySource.PUBLIC_KEY:
            return place
