"""Credentials that were checked, so that the next request with one costs a look-up."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

from veneer.core.identity import Proof, Proofs, Window, scope_of, window_of
from veneer.core.rules import Scope

MOST: Final = 32 * 1024
"""Remembered at most, twice: the younger half and the older one."""

SharedBy = tuple[str, ...]


class KnownCredential:
    """What a credential proves, and the scopes that follow from it alone."""

    __slots__ = ("_scopes", "proofs", "window")

    def __init__(self, proofs: Proofs) -> None:
        self.proofs: Final = proofs
        self.window: Final[Window] = window_of(proofs)
        self._scopes: dict[SharedBy, Scope | None] = {}

    def holds(self, now: float) -> bool:
        """Whether all of it holds at `now`, in seconds since the epoch."""
        return self.window.opens <= now < self.window.ends

    def scope(self, shared_by: SharedBy, now: float) -> Scope | None:
        """As `scope_of`. Worked out once: it is the same as long as all of the proofs hold."""
        if not self.holds(now):
            return scope_of(self.proofs, shared_by, now)
        if shared_by not in self._scopes:
            self._scopes[shared_by] = scope_of(self.proofs, shared_by, now)
        return self._scopes[shared_by]


class CredentialMemory:
    """Bounded, and by a keyed digest: nobody reads credentials out of it, and nobody makes two that meet in it.

    What is asked for again moves to the younger half; when that is full the older one is forgotten.
    """

    def __init__(self, most: int = MOST) -> None:
        self._key = secrets.token_bytes(32)
        self._most = most
        self._young: dict[bytes, KnownCredential] = {}
        self._old: dict[bytes, KnownCredential] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, credential: bytes, now: float) -> KnownCredential | None:
        """What is known of it and holds at `now`, in seconds since the epoch."""
        digest = blake2b(credential, digest_size=16, key=self._key).digest()
        known = self._young.get(digest)
        if known is None:
            known = self._old.pop(digest, None)
            if known is None:
                return None
            if known.holds(now):
                self._keep(digest, known)
        return known if known.holds(now) else None

    def learn(self, credential: bytes, proofs: tuple[Proof, ...]) -> KnownCredential:
        """Remember what it proves."""
        known = KnownCredential(proofs)
        self._keep(blake2b(credential, digest_size=16, key=self._key).digest(), known)
        return known

    def _keep(self, digest: bytes, known: KnownCredential) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[digest] = known
