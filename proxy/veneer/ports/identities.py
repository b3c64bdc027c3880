"""Who asks, as far as it is proven."""

from __future__ import annotations

from typing import Protocol

from veneer.core.fields import Fields
from veneer.core.identity import Proofs
from veneer.ports.clock import Clock
from veneer.ports.credentials import Definitions, NoBearers, RememberedBearers


class Identities(Protocol):
    """Checks credentials by the policy that was applied last. `bearers` are what it remembers of them."""

    @property
    def bearers(self) -> RememberedBearers:
        """The same object always: what it tells follows the policy."""
        ...

    def prove(self, identities: Definitions, fields: Fields, now: float, *, trusted: bool) -> Proofs:
        """What the request's fields prove at `now`, in seconds since the epoch, by these definitions.

        `trusted` tells whether the peer is a trusted proxy. Never an error: what cannot be read proves nothing, and
        neither does anything where other definitions have been applied since.
        """
        ...

    def vouches(self, identities: Definitions, names: frozenset[str]) -> frozenset[str] | None:
        """Those of the values that `vouched` may prove; None where other definitions have been applied."""
        ...

    async def vouched(self, identities: Definitions, names: frozenset[str], fields: Fields, clock: Clock) -> Proofs:
        """What services prove of the request's credentials for these values: known already, or asked for now.

        Never an error: a service that is away proves nothing.
        """
        ...


class NoIdentities:
    """Proves nothing."""

    def __init__(self) -> None:
        self.bearers = NoBearers()

    def prove(self, *_: object, trusted: bool) -> Proofs:  # noqa: ARG002 - as the port has it
        """Nothing."""
        return ()

    def vouches(self, *_: object) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    async def vouched(self, *_: object) -> Proofs:
        """Nothing."""
        return ()
