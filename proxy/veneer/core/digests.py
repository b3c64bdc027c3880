"""Digests of several values at once."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b


def digest_of_parts(parts: Sequence[bytes], *, size: int, person: bytes = b"") -> str:
    """A digest of `size` bytes, in hex. Each part counts with its length, so that no two lists mean the same.

    `person` keeps digests for one purpose apart from those for another (RFC 7693 section 2.8).
    """
    digest = blake2b(digest_size=size, person=person)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def is_keyed_hash(algorithm: str, hash_bits: int, cutoff: int) -> bool:
    """Whether an interpreter with this `sys.hash_info` hashes all bytes with 64 bits of a keyed function.

    It does unless it was built otherwise (PEP 456: FNV, or another function for what is shorter than `cutoff`).
    """
    return algorithm.startswith("siphash") and hash_bits == 64 and cutoff == 0
