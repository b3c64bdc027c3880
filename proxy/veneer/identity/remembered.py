"""Credentials that were checked, so that the next request with one costs a look-up."""

from __future__ import annotations

import secrets
import sys
from hashlib import blake2b
from typing import Final

from mypy_extensions import i64

from veneer.core.digests import is_keyed_hash
from veneer.core.identity import Proof, Proofs, Window, scope_of, window_of
from veneer.core.rules import Scope
from veneer.ports.credentials import KnownScopes

MOST: Final = 32 * 1024
"""Remembered at most, twice: the younger half and the older one."""

SharedBy = tuple[str, ...]


_HASHED: Final = sys.hash_info
HASH_IS_KEYED: Final = is_keyed_hash(_HASHED.algorithm, _HASHED.hash_bits, _HASHED.cutoff)


class KnownCredential(KnownScopes):
    """Implements `veneer.ports.credentials.KnownScopes`. `mark` is the memory's."""

    __slots__ = ("_scopes", "mark", "window")

    def __init__(self, proofs: Proofs, mark: i64) -> None:
        self.mark: Final[i64] = mark
        super().__init__(proofs)
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
    """Bounded, and by keyed hashes: nobody reads credentials out of it, and nobody makes two that meet in it.

    Asked on each hit, it has 128 bits in place of each: the process's SipHash (PEP 456) of the credential, and of it
    behind a salt that nobody knows even where PYTHONHASHSEED gives that key away. To hash so costs a fifth of a digest.
    Where the process has another hash, it is that of a keyed digest.

    What is asked for again moves to the younger half; when that is full the older one is forgotten.
    """

    def __init__(self, most: int = MOST, *, is_hash_keyed: bool = HASH_IS_KEYED) -> None:
        self._key = secrets.token_bytes(32)
        self._is_hash_keyed = is_hash_keyed
        self._most = most
        self._young: dict[int, KnownCredential] = {}
        self._old: dict[int, KnownCredential] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, credential: bytes, now: float) -> KnownCredential | None:
        """What is known of it and holds at `now`, in seconds since the epoch."""
        place, mark = self._place_of(credential)
        known = self._young.get(place)
        if known is None:
            known = self._old.get(place)
            if known is None:
                return None
            del self._old[place]
            if known.holds(now):
                self._keep(place, known)
        return known if known.mark == mark and known.holds(now) else None

    def learn(self, credential: bytes, proofs: tuple[Proof, ...]) -> KnownCredential:
        """Remember what it proves."""
        place, mark = self._place_of(credential)
        known = KnownCredential(proofs, mark)
        self._keep(place, known)
        return known

    def _place_of(self, credential: bytes) -> tuple[int, i64]:
        if not self._is_hash_keyed:
            credential = blake2b(credential, digest_size=32, key=self._key).digest()
        return hash(credential), hash(self._key + credential)

    def _keep(self, place: int, known: KnownCredential) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[place] = known
