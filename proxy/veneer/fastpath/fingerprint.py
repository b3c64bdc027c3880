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


def fingerprint_at(host: bytes, host_hashed: i64, target: bytes) -> Fingerprint:
    """The fingerprint of a target at a host that ends in LF, whose hash is known."""
    target_hashed: i64 = hash(target)
    return hash(host + target), target_hashed ^ host_hashed


def scope_mark(scope: Scope) -> Fingerprint:
    """What tells the fingerprints of a scope from those of others (core.identity): each of the two numbers, by XOR.

    They are as little to be guessed as those of a target, and of nothing that begins as a host does.
    """
    name = scope.name.encode("ascii")
    return hash(b"\n1" + name), hash(b"\n2" + name)


def fingerprint_of(target_key: bytes, scope: Scope | None = None) -> Fingerprint:
    """The fingerprint of a target key (learning.target_key), within a scope. Raises ValueError where it is none."""
    begin = target_key.index(b"\n") + 1
    host, target = target_key[:begin], target_key[begin:]
    return within_scope(fingerprint_at(host, hash(host), target), scope)


def within_scope(fingerprint: Fingerprint, scope: Scope | None) -> Fingerprint:
    """The fingerprint within a scope, of one that is in none."""
    if scope is None:
        return fingerprint
    hash_a, hash_b = fingerprint
    mark_a, mark_b = scope_mark(scope)
    return hash_a ^ mark_a, hash_b ^ mark_b
