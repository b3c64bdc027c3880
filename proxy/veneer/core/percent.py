"""Percent-encoding in its normal form (RFC 3986 sections 2.1 and 6.2.2)."""

from __future__ import annotations

from typing import Final

UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
HEX: Final = frozenset("0123456789ABCDEFabcdef")


def normalise_percent(text: str) -> str:
    """`text` with unreserved characters decoded and the hex digits of all others in upper case.

    Characters beyond ASCII are encoded. A "%" without two hex digits stays as it is: `has_bad_percent` finds it.
    """
    text = encode_beyond_ascii(text)
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    parts = [first]
    for part in rest:
        code = part[:2]
        if len(code) < 2 or not HEX.issuperset(code):
            parts.append("%" + part)
            continue
        char = chr(int(code, 16))
        parts.append((char if char in UNRESERVED else "%" + code.upper()) + part[2:])
    return "".join(parts)


def encode_beyond_ascii(text: str) -> str:
    """`text` with what is not ASCII percent-encoded, as no URI may hold it (RFC 3986 section 2)."""
    return text if text.isascii() else "".join(c if c.isascii() else f"%{ord(c):02X}" for c in text)


def has_bad_percent(text: str) -> bool:
    """Whether a "%" is not followed by two hex digits."""
    if "%" not in text:
        return False
    return any(len(part) < 2 or not HEX.issuperset(part[:2]) for part in text.split("%")[1:])


_ALIKE: Final = frozenset("!$&'()*+,;=:@")
"""What a path's segment may hold as it is or encoded (RFC 3986 section 3.3)."""


def folded(path: str) -> str:
    """A normal path with whatever a segment may hold in the clear decoded: the name under which it is invalidated.

    RFC 3986 section 6.2.2.2 lets a server tell "(" from "%28", so that these are two keys. Most servers do not: a write
    to the one has to reach what is stored of the other.
    """
    if "%" not in path:
        return path
    first, *rest = path.split("%")
    parts = [first]
    for part in rest:
        code = part[:2]
        char = chr(int(code, 16)) if len(code) == 2 and HEX.issuperset(code) else ""
        parts.append(char + part[2:] if char and char in _ALIKE else "%" + part)
    return "".join(parts)
