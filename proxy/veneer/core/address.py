"""Addresses of clients: one form for one address, however a proxy, a socket or a field writes it (RFC 7239, 5952)."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from veneer.core.fields import Fields
from veneer.core.remembered import memoised

_PAIR: Final = re.compile(r'([\w!#$%&\'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;,\s"]*))')
"""One parameter of Forwarded. A quoted value is taken as a whole: what it holds is no parameter."""


def _read_address(text: str) -> str:
    node = text.strip().strip('"')
    if node.startswith("["):
        node = node[1:].partition("]")[0]
    elif node.count(":") == 1:
        node = node.partition(":")[0]
    try:
        address = ipaddress.ip_address(node.partition("%")[0])
    except ValueError:
        return node
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


node_address: Final = memoised(_read_address, 4096)
"""The address that a node names, without port, brackets, zone and quotes, IPv4 in IPv6 as IPv4, in its shortest form.

"1.2.3.4:5001", "[2001:DB8::1]:443" and "::ffff:1.2.3.4" are how proxies and dual-stack sockets write addresses. What is
no address ("unknown", an obfuscated "_name") stays as it is.
"""


def told_clients(fields: Fields) -> list[str]:
    """The addresses that proxies tell, the nearest last: X-Forwarded-For, or where that is absent Forwarded."""
    value = fields.get("x-forwarded-for")
    if value is not None:
        return [node_address(part) for part in value.split(",") if part.strip()]
    pairs = _PAIR.findall(fields.get("forwarded") or "")
    return [node_address(quoted or plain) for name, quoted, plain in pairs if name.lower() == "for"]
