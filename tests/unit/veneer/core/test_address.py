"""One form for one address."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.address import node_address, told_clients
from veneer.core.fields import Fields


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5001", "1.2.3.4"),
        (" 1.2.3.4 ", "1.2.3.4"),
        ("[2001:db8::2]:443", "2001:db8::2"),
        ('"[2001:db8::2]"', "2001:db8::2"),
        ("2001:DB8::3", "2001:db8::3"),
        ("2001:db8:0:0::3", "2001:db8::3"),
        ("::ffff:1.1.1.4", "1.1.1.4"),
        ("[::FFFF:1.1.1.4]:80", "1.1.1.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "unknown"),
        ("_hidden", "_hidden"),
        ("", ""),
    ],
)
def test_ways_to_write_an_address_are_one(text: str, address: str) -> None:
    assert node_address(text) == address


@given(st.ip_addresses(v=6), st.integers(1, 65_535))
def test_a_port_never_makes_another_client(address: ipaddress.IPv6Address, port: int) -> None:
    alone = node_address(str(address))
    assert node_address(f"[{address.exploded.upper()}]:{port}") == alone == node_address(alone)


@pytest.mark.parametrize(
    ("fields", "clients"),
    [
        ([], []),
        ([("X-Forwarded-For", "1.2.3.4:1, , [::1]:2")], ["1.2.3.4", "::1"]),
        ([("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=5.6.7.8")], ["1.2.3.4"]),
        ([("Forwarded", "for=1.2.3.4")], ["1.2.3.4"]),
        (
            [("Forwarded", 'For="[2001:db8::2]:47011";proto=https, by=x;FOR = 10.0.0.1')],
            ["2001:db8::2", "10.0.0.1"],
        ),
        ([("Forwarded", 'host="a;for=6.6.6.6";for=1.2.3.4')], ["1.2.3.4"]),
        ([("Forwarded", "proto=https")], []),
    ],
)
def test_what_proxies_tell(fields: list[tuple[str, str]], clients: list[str]) -> None:
    assert told_clients(Fields(fields)) == clients
