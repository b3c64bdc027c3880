"""Who asks, as far as it is proven."""

from __future__ import annotations

from typing import Protocol

from veneer.core.fields import Fields
from veneer.core.identity import Proofs
from veneer.core.rules import Scope

Definitions = tuple[object, ...]
"""The identities of a policy. They are told by which object they are: nobody looks into them here."""


class Identities(Protocol):
    """Checks credentials by the policy that was applied last."""

    def prove(self, identities: Definitions, fields: Fields, now: float, *, trusted: bool) -> Proofs:
        """What the request's fields prove at `now`, in seconds since the epoch, by these definitions.

        `trusted` tells whether the peer is a trusted proxy. Never an error: what cannot be read proves nothing, and
        neither does anything where other definitions have been applied since.
        """
        ...

    def known_scope(
        self, identities: Definitions, authorization: bytes, shared_by: tuple[str, ...], now: float
    ) -> Scope | None:
        """As `core.identity.scope_of` of an Authorization that was checked before; None where it was not."""
        ...


class NoIdentities:
    """Proves nothing."""

    def prove(self, *_: object, trusted: bool) -> Proofs:  # noqa: ARG002 - as the port has it
        """Nothing."""
        return ()

    def known_scope(self, *_: object) -> Scope | None:
        """Nothing."""
        return None
