"""Under which numbers, its fingerprint, the fast path knows a target.

The name of a target lies in memory of its own. To compare it costs two or three reads from there and the look for their
page, for every hit, and where entries are many that is a good part of what a hit costs. So a hot entry has 128 bits of
keyed hash in its place, as other caches know an entry by the digest of its key. Both halves are the process's SipHash
(PEP 456), whose key is drawn at start: one of host and target together, one of each by itself. With a million entries
the chance that any two of them have the same is below 2 to the power of -88, and nobody can look for two from outside.
Where PYTHONHASHSEED gives the key away, both halves would still have to meet at once.
"""

from __future__ import annotations

from mypy_extensions import i64

from veneer.core.rules import Scope

Fingerprint = tuple[i64, i64]
"""The hash of host and target together; and the hash of the target and that of the host, in one number."""


def is_keyed_hash(algorithm: str, hash_bits: int, cutoff: int) -> bool:
    """Whether an interpreter with this `sys.hash_info` hashes all bytes with 64 bits of a keyed function.

    It does unless it was built otherwise (PEP 456: FNV, or another function for what is shorter than `cutoff`).
    """
    return algorithm.startswith("siphash") and hash_bits == 64 and cutoff == 0


def fingerprint_at(host: bytes, host_hashed: i64, target: bytes) -> Fingerprint:
    """The fingerprint of a target at a host that ends in LF, whose hash is known."""
    target_hashed: i64 = hash(target)
    return hash(host + target), target_hashed ^ host_hashed


def scoped_target(target: bytes, scope: str) -> bytes:
    """What stands for a target in the fingerprints of one scope (core.identity). No plain target holds an LF."""
    return target + b"\n" + scope.encode("ascii")


def fingerprint_of(target_key: bytes, scope: Scope | None = None) -> Fingerprint:
    """The fingerprint of a target key (learning.target_key), within a scope. Raises ValueError where it is none."""
    begin = target_key.index(b"\n") + 1
    host, target = target_key[:begin], target_key[begin:]
    return fingerprint_at(host, hash(host), target if scope is None else scoped_target(target, scope.name))
