"""Where to listen, as it is written."""

from __future__ import annotations

import pytest

from veneer.core.listen_address import MAX_PATH_BYTES, Address, UnixAddress, parse_listen_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        (":80", Address("127.0.0.1", 80)),
        ("[::1]:0", Address("::1", 0)),
        ("unix:/run/a.sock", UnixAddress("/run/a.sock")),
        ("unix:/" + "a" * (MAX_PATH_BYTES - 1), UnixAddress("/" + "a" * (MAX_PATH_BYTES - 1))),
    ],
)
def test_what_is_an_address(text: str, address: Address | UnixAddress) -> None:
    assert parse_listen_address(text) == address
    assert parse_listen_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "8080", "a:b", "a:65536", "a:²", "unix:", "unix:a.sock", "unix:/run/", "unix:/" + "a" * MAX_PATH_BYTES]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_listen_address(text)
