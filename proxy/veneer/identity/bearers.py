"""What is remembered of Authorization fields, under the definitions by which they were checked."""

from __future__ import annotations

from veneer.identity.remembered import CredentialMemory, KnownCredential
from veneer.ports.credentials import Definitions, RememberedBearers


class BearerMemory(RememberedBearers):
    """What was proven by other definitions or keys is forgotten with them."""

    __slots__ = ("_identities", "memory")

    def __init__(self) -> None:
        self.begin(())

    def begin(self, identities: Definitions) -> None:
        """Begin anew under these definitions."""
        self._identities = identities
        self.memory = CredentialMemory()

    def find(self, identities: Definitions, authorization: bytes, now: float) -> KnownCredential | None:
        """As `RememberedBearers`."""
        return self.memory.find(authorization, now) if identities is self._identities else None
