"""The PROXY protocol, versions 1 and 2: what a proxy in front says of a connection before its first byte.

Source: "The PROXY protocol, versions 1 & 2", Willy Tarreau, HAProxy Technologies, 2020/03/05, sections 2.1 and 2.2.
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum
from typing import Final, NamedTuple

from veneer.core.address import node_address

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
PREFIX: Final = b"PROXY "
MAX_LINE_BYTES: Final = 107
"""Of version 1, the end of the line included (section 2.1)."""
MAX_BYTES: Final = 4096
"""Of version 2, further fields (TLVs) included; they are skipped. Proxies send some hundred bytes of them at most."""

_FIXED_BYTES: Final = 16
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESS_BYTES: Final = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
"""By family and transport: unspecified, TCP over IPv4 and IPv6, and a Unix socket. No other is of a connection."""
_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP4|TCP6) ([0-9a-fA-F.:]{2,39}) ([0-9a-fA-F.:]{2,39}) (\d{1,5}) (\d{1,5}))\r\n"
)


class ProxyProblem(Enum):
    """Why a connection is refused that was to begin with a header."""

    UNTRUSTED = "proxy-untrusted"
    MISSING = "proxy-missing"
    MALFORMED = "proxy-malformed"
    TOO_LONG = "proxy-too-long"


class ProxyHeader(NamedTuple):
    """What was said: the client's address, None where it is that of the proxy itself or not told; and its bytes."""

    address: str | None
    size: int


def read_proxy_header(data: bytes) -> ProxyHeader | ProxyProblem | None:
    """The header that `data` begins with; None where more has to come."""
    if data.startswith(SIGNATURE):
        return _binary(data)
    if data.startswith(PREFIX):
        return _line(data)
    if SIGNATURE.startswith(data) or PREFIX.startswith(data):
        return None
    return ProxyProblem.MISSING


def _line(data: bytes) -> ProxyHeader | ProxyProblem | None:
    """Version 1: one line of text."""
    end = data.find(b"\n", 0, MAX_LINE_BYTES)
    if end == -1:
        return ProxyProblem.TOO_LONG if len(data) >= MAX_LINE_BYTES else None
    size = end + 1
    found = _LINE.fullmatch(data[:size])
    if found is None:
        return ProxyProblem.MALFORMED
    family = found[1]
    if family is None:
        return ProxyHeader(None, size)
    version = 4 if family == b"TCP4" else 6
    source = _address(found[2], version)
    if source is None or _address(found[3], version) is None or int(found[4]) > 65535 or int(found[5]) > 65535:
        return ProxyProblem.MALFORMED
    return ProxyHeader(source, size)


def _address(text: bytes, version: int) -> str | None:
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        return None
    return node_address(str(address)) if address.version == version else None


def _binary(data: bytes) -> ProxyHeader | ProxyProblem | None:
    """Version 2: a fixed head, addresses, and further fields."""
    if len(data) < _FIXED_BYTES:
        return None
    command, family = data[12], data[13]
    told = int.from_bytes(data[14:16], "big")
    size = _FIXED_BYTES + told
    needed = _ADDRESS_BYTES.get(family)
    if command not in (_LOCAL, _PROXY) or (command == _PROXY and (needed is None or told < needed)):
        return ProxyProblem.MALFORMED
    if size > MAX_BYTES:
        return ProxyProblem.TOO_LONG
    if len(data) < size:
        return None
    if command == _LOCAL or family not in (0x11, 0x21):
        return ProxyHeader(None, size)
    length = 4 if family == 0x11 else 16
    address = ipaddress.ip_address(data[_FIXED_BYTES : _FIXED_BYTES + length])
    return ProxyHeader(node_address(str(address)), size)
