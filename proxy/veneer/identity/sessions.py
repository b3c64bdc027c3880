"""Session cookies: whoever sends the same ones is taken for the same session, whatever they mean to the backend."""

from __future__ import annotations

from veneer.core.digests import digest_of_parts
from veneer.core.fields import Fields
from veneer.core.headers import OWS
from veneer.core.identity import Proof
from veneer.policy.model_identity import SessionIdentity


def session_proof(defined_by: str, identity: SessionIdentity, fields: Fields) -> Proof | None:
    """The digest of the cookies, under the name that the policy gives it; None where one is missing or there twice."""
    said: list[bytes] = []
    for name in identity.cookies:
        value = cookie_of(fields, name)
        if value is None:
            return None
        said.append(value.encode("latin-1", "replace"))
    named = ((identity.value, "d:" + digest_of_parts(said, size=20, person=b"session")),)
    return Proof(named, defined_by, cookies=frozenset(identity.cookies))


def cookie_of(fields: Fields, name: str) -> str | None:
    """The value of a cookie that is there once, and that every server reads alike; None where it is not so certain.

    Some servers take a comma for a separator too (core.sharing).
    """
    found: list[str] = []
    for line in fields.lines("cookie"):
        for member in line.split(";"):
            for part in member.split(","):
                own, equals, value = part.partition("=")
                if own.strip(OWS) == name:
                    if not equals or "," in member:
                        return None
                    found.append(value.strip(OWS))
    return found[0] if len(found) == 1 and found[0] else None
