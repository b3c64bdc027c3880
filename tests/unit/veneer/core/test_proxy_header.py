"""PROXY headers by example; tests/properties/test_proxy_header.py has the rest."""

from __future__ import annotations

import pytest

from veneer.core.proxy_header import MAX_BYTES, MAX_LINE_BYTES, SIGNATURE, ProxyHeader, ProxyProblem, read_proxy_header

V4 = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + b"\x10\x00\x00\x50"
V6 = bytes.fromhex("20010db8000000000000000000000001") * 2 + b"\x10\x00\x00\x50"
MAPPED = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]) + bytes(16) + b"\x10\x00\x00\x50"


def binary(command: int, family: int, body: bytes, *, told: int | None = None) -> bytes:
    return SIGNATURE + bytes([command, family]) + (len(body) if told is None else told).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 4096 80\r\n", "192.0.2.1"),
        (b"PROXY TCP6 2001:DB8::1 ::1 4096 80\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 4096 80\r\n", "192.0.2.1"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        (binary(0x21, 0x11, V4), "192.0.2.1"),
        (binary(0x21, 0x11, V4 + b"\x04\x00\x02ab"), "192.0.2.1"),
        (binary(0x21, 0x21, V6), "2001:db8::1"),
        (binary(0x21, 0x21, MAPPED), "192.0.2.1"),
        (binary(0x21, 0x31, bytes(216)), None),
        (binary(0x21, 0x00, b""), None),
        (binary(0x20, 0x00, b""), None),
        (binary(0x20, 0x11, V4), None),
        (binary(0x21, 0x11, V4 + bytes(MAX_BYTES - 16 - 12)), "192.0.2.1"),
    ],
)
def test_right_ones(header: bytes, address: str | None) -> None:
    assert read_proxy_header(header + b"GET / HTTP/1.1\r\n") == ProxyHeader(address, len(header))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", ProxyProblem.MISSING),
        (b"\x16\x03\x01", ProxyProblem.MISSING),
        (b"\r\n\r\nGET", ProxyProblem.MISSING),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 4096 80\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP4 192.0.2.1  198.51.100.7 4096 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP4 2001:db8::1 ::1 4096 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP6 192.0.2.1 192.0.2.2 4096 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP4 192.0.2.256 198.51.100.7 4096 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 4096\r\n", ProxyProblem.MALFORMED),
        (b"PROXY UDP4 192.0.2.1 198.51.100.7 4096 80\r\n", ProxyProblem.MALFORMED),
        (b"PROXY UNKNOWN " + b"a" * (MAX_LINE_BYTES - 14), ProxyProblem.TOO_LONG),
        (binary(0x22, 0x11, V4), ProxyProblem.MALFORMED),
        (binary(0x11, 0x11, V4), ProxyProblem.MALFORMED),
        (binary(0x21, 0x12, V4), ProxyProblem.MALFORMED),
        (binary(0x21, 0x41, V4), ProxyProblem.MALFORMED),
        (binary(0x21, 0x21, V4), ProxyProblem.MALFORMED),
        (binary(0x21, 0x11, b"", told=MAX_BYTES), ProxyProblem.TOO_LONG),
    ],
)
def test_wrong_ones(data: bytes, why: ProxyProblem) -> None:
    assert read_proxy_header(data) is why
