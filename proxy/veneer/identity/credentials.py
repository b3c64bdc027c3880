"""The credentials of a request that a policy names: what is sent to who knows whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from veneer.core.fields import Fields
from veneer.core.sharing import cookie_names
from veneer.identity.sessions import cookie_of
from veneer.policy.model_identity import CredentialNames


@dataclass(frozen=True, slots=True)
class Credentials:
    """Those that are there. `raw` stands for all of them; `authorization` and `cookies` say which they are."""

    raw: bytes
    fields: Fields
    authorization: bool
    cookies: frozenset[str]


def credentials_of(names: CredentialNames, fields: Fields) -> Credentials | None:
    """What a request has of them; None where it has none, or where servers may read one in several ways."""
    said = fields.lines("authorization") if names.authorization else ()
    if len(said) > 1:
        return None
    found: list[tuple[str, str]] = []
    here = cookie_names(fields) if names.cookies else []
    for name in names.cookies:
        value = cookie_of(fields, name)
        if value is not None:
            found.append((name, value))
        elif name in here:
            return None
    if not said and not found:
        return None
    line = "; ".join(f"{name}={value}" for name, value in found)
    sent = [("Authorization", value) for value in said] + ([("Cookie", line)] if found else [])
    # A field's value has no line's end in it, so that none of these is another one.
    raw = said[0] if said and not found else f"{said[0] if said else ''}\n{line}"
    cookies = frozenset([name for name, _ in found])
    return Credentials(raw.encode("latin-1", "replace"), Fields(sent), bool(said), cookies)
