"""PROXY headers however they are cut, and whatever comes in their place."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from veneer.core.address import node_address
from veneer.core.proxy_header import PREFIX, SIGNATURE, ProxyHeader, read_proxy_header

PORTS = st.integers(0, 65535)


@st.composite
def told(draw: st.DrawFn) -> tuple[bytes, str]:
    """A right header, and the client's address in it."""
    addresses = draw(st.sampled_from([st.ip_addresses(v=4), st.ip_addresses(v=6)]))
    source, target = draw(addresses), draw(addresses)
    version = source.version
    ports = draw(PORTS), draw(PORTS)
    if draw(st.booleans()):
        line = f"PROXY TCP{version} {source} {target} {ports[0]} {ports[1]}\r\n"
        return line.encode(), node_address(str(source))
    more = draw(st.binary(max_size=100))
    body = source.packed + target.packed + b"".join(port.to_bytes(2, "big") for port in ports) + more
    family = 0x11 if version == 4 else 0x21
    return SIGNATURE + bytes([0x21, family]) + len(body).to_bytes(2, "big") + body, node_address(str(source))


BEGUN = st.sampled_from([b"", PREFIX, SIGNATURE, SIGNATURE + b"\x21\x11\x00\x0c", PREFIX + b"TCP4 "])
ANYTHING = st.builds(bytes.__add__, BEGUN, st.binary(max_size=300))


@given(told(), st.binary(max_size=50))
def test_a_header_is_read_whole_and_nothing_behind_it(header: tuple[bytes, str], rest: bytes) -> None:
    data, address = header
    assert read_proxy_header(data + rest) == ProxyHeader(address, len(data))
    assert all(read_proxy_header(data[:end]) is None for end in range(len(data)))


@given(ANYTHING, st.binary(max_size=50))
def test_what_is_decided_stays_decided_whatever_comes_after(data: bytes, more: bytes) -> None:
    found = read_proxy_header(data)
    if found is not None:
        assert read_proxy_header(data + more) == found
    if isinstance(found, ProxyHeader):
        assert found.size <= len(data)
        assert found.address is None or str(ipaddress.ip_address(found.address)) == found.address


@given(ANYTHING)
def test_in_pieces_it_is_what_it_is_at_once(data: bytes) -> None:
    decided = [found for end in range(len(data) + 1) if (found := read_proxy_header(data[:end])) is not None]
    assert decided[:1] == [found for found in [read_proxy_header(data)] if found is not None]
