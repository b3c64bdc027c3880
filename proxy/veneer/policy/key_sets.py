"""Keys that an issuer publishes: from the checked shape to the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from veneer.policy.model_identity import KeySetPlace
from veneer.policy.places import bad_resource, origin_and_target
from veneer.policy.schema_identity import JwtKeyShape
from veneer.policy.tls import wrong_authorities
from veneer.policy.wrong import Wrong

REFRESH_S: Final = 300.0


def key_set_place(shape: JwtKeyShape) -> KeySetPlace:
    """Where the keys are, of a shape that names a `jwks`."""
    origin, target = origin_and_target(shape.jwks or "")
    return KeySetPlace(origin, target, REFRESH_S if shape.refresh is None else shape.refresh, shape.ca)


def wrong_key_set(shape: JwtKeyShape) -> Iterator[Wrong]:
    """What is wrong with how a key says that it is published, or says so of one that is not."""
    if shape.jwks is None:
        for name in ("ca", "refresh"):
            if getattr(shape, name) is not None:
                yield Wrong((name,), "is for `jwks`, and this key is somewhere else", "remove it")
        return
    if (why := bad_resource(shape.jwks)) is not None:
        yield Wrong(("jwks",), why, 'write "https://issuer/.well-known/jwks.json"')
    if shape.id is not None:
        yield Wrong(("id",), "published keys have a `kid` of their own", "remove it")
    if shape.ca is not None:
        yield from (Wrong(("ca",), *wrong) for wrong in wrong_authorities(shape.jwks, shape.ca))
