"""What is remembered of Authorization fields, under the definitions by which they were checked."""

from __future__ import annotations

from veneer.identity.remembered import CredentialMemory, KnownCredential
from veneer.ports.credentials import Definitions, RememberedBearers


class BearerMemory(RememberedBearers):
    """What was proven by other definitions or keys is forgotten with them.

    `memory` has tokens that were checked here. Of others it looks for what services said of the field (subrequests).
    """

    __slots__ = ("_identities", "_vouched", "memory")

    def __init__(self) -> None:
        self.begin(())

    def begin(self, identities: Definitions, vouched: tuple[CredentialMemory, ...] = ()) -> None:
        """Begin anew under these definitions; `vouched` are the memories of services' words."""
        self._identities = identities
        self._vouched = vouched
        self.memory = CredentialMemory()

    def find(self, identities: Definitions, authorization: bytes, now: float) -> KnownCredential | None:
        """As `RememberedBearers`."""
        if identities is not self._identities:
            return None
        known = self.memory.find(authorization, now)
        for vouched in self._vouched:
            if known is None:
                known = vouched.find(authorization, now)
        return known
